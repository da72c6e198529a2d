from .execution import Execution, ExecutionQuerySet
from .log import ExecutionLog, Level
from .script import Script

__all__ = ["Execution", "ExecutionLog", "ExecutionQuerySet", "Level", "Script"]
