from .execution import Execution
from .log import ExecutionLog, Level, storable
from .queryset import ExecutionQuerySet
from .script import Script

__all__ = ["Execution", "ExecutionLog", "ExecutionQuerySet", "Level", "Script", "storable"]
