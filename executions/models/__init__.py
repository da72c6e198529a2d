from .execution import Execution
from .log import ExecutionLog, Level
from .queryset import ExecutionQuerySet
from .reports import Report, accept_reports
from .script import Script

__all__ = [
    "Execution",
    "ExecutionLog",
    "ExecutionQuerySet",
    "Level",
    "Report",
    "Script",
    "accept_reports",
]
