"""Query parameters that more than one list knows."""

import re
from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

# An offset whose plus was not escaped, and so was read as a space.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


class MomentField(forms.Field):
    """A moment in ISO 8601, or a day: its first instant, or its last one for the end of a range."""

    def __init__(self, *args: Any, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_of_day = time.max if is_end else time.min

    def to_python(self, value: str | None) -> datetime | None:
        if value in self.empty_values:
            return None
        text = _LOST_PLUS.sub(r"\1+\2", str(value).strip())
        try:
            return _in_utc(self._read(text))
        except (ValueError, OverflowError):
            raise forms.ValidationError(
                "Write a day or a moment as 2026-01-31 or 2026-01-31T23:59:59+00:00.", code="invalid"
            ) from None

    def _read(self, text: str) -> datetime:
        try:
            return datetime.combine(date.fromisoformat(text), self.time_of_day)
        except ValueError:
            return datetime.fromisoformat(text)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(filters.Filter):
    field_class = MomentField


@extend_schema_field(OpenApiTypes.INT)
class WholeNumberFilter(filters.Filter):
    field_class = forms.IntegerField
