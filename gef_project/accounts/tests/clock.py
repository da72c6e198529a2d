from datetime import datetime, timedelta

from django.utils import timezone


class Clock:
    """A clock that stands still until a test moves it on."""

    def __init__(self) -> None:
        self._now = timezone.now()

    def now(self) -> datetime:
        return self._now

    def move(self, **time: float) -> None:
        self._now += timedelta(**time)
