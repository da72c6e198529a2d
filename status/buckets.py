"""Hours, days, weeks and months of a time zone, as times in UTC."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

MAX_BUCKETS = 20_000


class TooManyBuckets(ValueError):
    def __init__(self) -> None:
        super().__init__(f"More than {MAX_BUCKETS:,} buckets: ask for a shorter time or for longer buckets.")


def boundaries(unit: str, first: datetime, last: datetime, zone: tzinfo) -> list[datetime]:
    """The starts of the buckets, from the one with ``first`` to the one with ``last``, and that one's end.

    An hour begins on the hour by the zone's clocks. When they are put back, the repeated hour is a bucket of
    its own; when they change by half an hour, one bucket lasts an hour and a half.

    Raises:
        TooManyBuckets
    """
    found: list[datetime] = []
    for start, end in pairwise(_starts(unit, first.astimezone(zone).date(), zone)):
        if end <= first:
            continue
        found.append(start)
        if len(found) > MAX_BUCKETS:
            raise TooManyBuckets
        if end > last:
            return [*found, end]
    raise AssertionError("the starts never end")


def _starts(unit: str, day: date, zone: tzinfo) -> Iterator[datetime]:
    """The starts of all buckets in ascending order, without end; the first is not after ``day``."""
    if unit == "hour":
        return _hours(_midnight(day, zone), zone)
    first_day, next_day = _DAYS[unit]
    return _days(first_day(day), next_day, zone)


def _days(day: date, next_day: Callable[[date], date], zone: tzinfo) -> Iterator[datetime]:
    start = _midnight(day, zone)
    while True:
        yield start
        while _midnight(day, zone) <= start:  # also past a day that the zone has skipped
            day = next_day(day)
        start = _midnight(day, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """The start of the day, also where the clocks change at midnight."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _hours(start: datetime, zone: tzinfo) -> Iterator[datetime]:
    while True:
        yield start
        start += timedelta(hours=1)
        clock = start.astimezone(zone)
        past = timedelta(minutes=clock.minute, seconds=clock.second)
        if past:
            start += timedelta(hours=1) - past


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


# For each unit: from a day to the first day of its bucket, and from that to the first day of the next bucket.
_DAYS: Mapping[str, tuple[Callable[[date], date], Callable[[date], date]]] = {
    "day": (lambda day: day, lambda day: day + timedelta(days=1)),
    "week": (_monday, lambda monday: monday + timedelta(days=7)),
    "month": (_first_of_month, lambda first: _first_of_month(first + timedelta(days=31))),
}
UNITS = ["hour", *_DAYS]
