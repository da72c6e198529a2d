"""Moments as clients write them in query parameters, and as they are written to clients."""

import re
from datetime import UTC, date, datetime, time

from rest_framework.settings import api_settings

A_MOMENT = "a day or a moment such as 2026-01-31 or 2026-01-31T23:59:59+00:00"
HOW_TO = f"Write {A_MOMENT}."

# An offset whose plus was not escaped, and so was read as a space.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


def read_moment(text: str, *, ends: bool = False) -> datetime:
    """A moment in ISO 8601, in UTC unless it says otherwise.

    Args:
        ends: a day stands for its last instant, not for its first.

    Raises:
        ValueError: it cannot be read.
    """
    text = _LOST_PLUS.sub(r"\1+\2", text.strip())
    try:
        moment = datetime.combine(date.fromisoformat(text), time.max if ends else time.min)
    except ValueError:
        moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def write_moment(moment: datetime) -> str:
    """The one form, for what no serializer writes."""
    return moment.astimezone(UTC).strftime(api_settings.DATETIME_FORMAT)
