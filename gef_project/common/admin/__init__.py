from .attributed_admin import AttributedAdmin
from .date_filter import DateFilter

__all__ = ["AttributedAdmin", "DateFilter"]
