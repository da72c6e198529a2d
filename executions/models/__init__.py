from .execution import Execution
from .log import ExecutionLog, Level, storable
from .queryset import ExecutionQuerySet
from .reports import Report
from .script import Script

__all__ = [
    "Execution",
    "ExecutionLog",
    "ExecutionQuerySet",
    "Level",
    "Report",
    "Script",
    "storable",
]
