from .execution import Execution
from .lease import LeaseClock
from .log import ExecutionLog, Level, storable
from .queryset import ExecutionQuerySet
from .reports import Report
from .script import Script

__all__ = [
    "Execution",
    "ExecutionLog",
    "ExecutionQuerySet",
    "LeaseClock",
    "Level",
    "Report",
    "Script",
    "storable",
]
