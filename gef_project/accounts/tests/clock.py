from datetime import datetime, timedelta

from django.utils import timezone


class Clock:
    """A clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self._now = timezone.now()

    def now(self) -> datetime:
        return self._now

    def advance(self, **time: float) -> None:
        self._now += timedelta(**time)
