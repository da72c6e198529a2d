from .changes import AttributedAdmin
from .logs import StatusLogAdmin
from .periods import PeriodFilter

__all__ = ["AttributedAdmin", "PeriodFilter", "StatusLogAdmin"]
