"""Dates and times, as clients write them in query parameters and as the API writes them."""

import re
from datetime import UTC, date, datetime, time

from rest_framework.settings import api_settings

DATE_OR_TIME = "a date or a time such as 2026-01-31 or 2026-01-31T23:59:59+00:00"
INVALID = f"Write {DATE_OR_TIME}."

# An offset whose plus was not escaped, and so was read as a space.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


def parse_datetime(text: str, *, end_of_day: bool = False) -> datetime:
    """A date or time in ISO 8601, in UTC unless it has an offset.

    Args:
        end_of_day: a date stands for its last microsecond, not for its first.

    Raises:
        ValueError: it cannot be read.
    """
    text = _LOST_PLUS.sub(r"\1+\2", text.strip())
    try:
        value = datetime.combine(date.fromisoformat(text), time.max if end_of_day else time.min)
    except ValueError:
        value = datetime.fromisoformat(text)
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def format_datetime(value: datetime) -> str:
    """In the one format of the API, for what no serializer writes."""
    return value.astimezone(UTC).strftime(api_settings.DATETIME_FORMAT)
