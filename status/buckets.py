"""Hours, days, weeks and months of a time zone, as moments in UTC."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

MAX_BUCKETS = 20_000


class TooManyBuckets(ValueError):
    def __init__(self) -> None:
        super().__init__(f"More than {MAX_BUCKETS:,} buckets: ask for a shorter time or for longer buckets.")


def boundaries(unit: str, first: datetime, last: datetime, zone: tzinfo) -> list[datetime]:
    """The starts of the buckets from that which holds ``first`` to that which holds ``last``, and its end.

    An hour is a full hour on the clocks of the zone: where they are put back, the repeated hour is a bucket
    of its own; where they change by half an hour, one bucket has an hour and a half.

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
    """In strictly growing order, from one that is no later than the day on, for ever."""
    if unit == "hour":
        return _hours(_midnight(day, zone), zone)
    begin, following = _DAYS[unit]
    return _days(begin(day), following, zone)


def _days(day: date, following: Callable[[date], date], zone: tzinfo) -> Iterator[datetime]:
    start = _midnight(day, zone)
    while True:
        yield start
        while _midnight(day, zone) <= start:  # also past a day that the zone has skipped
            day = following(day)
        start = _midnight(day, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment of the day, also where the clocks are changed at midnight."""
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


# How the first day of the bucket that holds a day is found, and the first day of the next bucket.
_DAYS: Mapping[str, tuple[Callable[[date], date], Callable[[date], date]]] = {
    "day": (lambda day: day, lambda day: day + timedelta(days=1)),
    "week": (_monday, lambda monday: monday + timedelta(days=7)),
    "month": (_first_of_month, lambda first: _first_of_month(first + timedelta(days=31))),
}
UNITS = ["hour", *_DAYS]
