"""The boundaries of buckets in any time zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from status import buckets
from status.buckets import UNITS, TooManyBuckets, boundaries

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"]


def starts(unit: str, first: str, last: str, zone: str) -> list[str]:
    """The boundaries in the zone's local time."""
    there = ZoneInfo(zone)
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=there) for text in (first, last))
    return [
        f"{boundary.astimezone(there):%m-%d %H:%M %Z}" for boundary in boundaries(unit, begin, end, there)
    ]


def test_an_hour_that_is_repeated_is_two_buckets() -> None:
    found = starts("hour", "2024-10-27T01:10", "2024-10-27T03:10", "Europe/Berlin")
    assert found == [
        "10-27 01:00 CEST",
        "10-27 02:00 CEST",
        "10-27 02:00 CET",
        "10-27 03:00 CET",
        "10-27 04:00 CET",
    ]


def test_an_hour_that_is_skipped_has_no_bucket() -> None:
    found = starts("hour", "2024-03-31T01:59", "2024-03-31T03:00", "Europe/Berlin")
    assert found == ["03-31 01:00 CET", "03-31 03:00 CEST", "03-31 04:00 CEST"]


def test_a_day_may_have_23_or_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for month, day, hours in ((3, 31, 23), (10, 27, 25), (5, 5, 24)):
        noon = datetime(2024, month, day, 12, tzinfo=berlin)
        start, end = boundaries("day", noon, noon, berlin)
        assert end - start == timedelta(hours=hours)


def test_a_day_begins_late_where_midnight_is_skipped() -> None:
    found = starts("day", "2024-03-10T05:00", "2024-03-10T05:00", "America/Havana")
    assert found == ["03-10 01:00 CDT", "03-11 00:00 CDT"]


def test_a_day_that_a_zone_has_skipped_has_no_bucket() -> None:
    found = starts("day", "2011-12-29T05:00", "2011-12-31T05:00", "Pacific/Apia")
    assert found == ["12-29 00:00 -10", "12-31 00:00 +14", "01-01 00:00 +14"]


def test_a_change_by_half_an_hour_makes_one_bucket_longer() -> None:
    found = starts("hour", "2024-04-07T01:00", "2024-04-07T02:00", "Australia/Lord_Howe")
    assert found == ["04-07 01:00 +11", "04-07 02:00 +1030", "04-07 03:00 +1030"]


def test_weeks_begin_on_mondays_and_months_on_the_first() -> None:
    assert starts("week", "2024-12-30T00:00", "2025-01-05T23:59", "UTC") == [
        "12-30 00:00 UTC",
        "01-06 00:00 UTC",
    ]
    found = starts("month", "2024-01-31T00:00", "2024-02-29T00:00", "UTC")
    assert found == ["01-01 00:00 UTC", "02-01 00:00 UTC", "03-01 00:00 UTC"]


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 24)
    midnight = datetime(2024, 1, 1, tzinfo=UTC)
    assert len(boundaries("hour", midnight, midnight + timedelta(hours=23), UTC)) == 25
    with pytest.raises(TooManyBuckets):
        boundaries("hour", midnight, midnight + timedelta(hours=24), UTC)


START = datetime(2023, 1, 1, tzinfo=UTC)
times = st.timedeltas(timedelta(), timedelta(days=730)).map(START.__add__)


@given(
    unit=st.sampled_from(UNITS),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    first=times,
    length=st.timedeltas(timedelta(), timedelta(days=3)),
)
def test_a_bucket_does_not_depend_on_the_requested_time(
    unit: str, zone: ZoneInfo, first: datetime, length: timedelta
) -> None:
    found = boundaries(unit, first, first + length, zone)
    assert found[0] <= first
    assert found[-2] <= first + length < found[-1]
    assert all(start < end for start, end in pairwise(found))
    for start, end in pairwise(found):
        assert boundaries(unit, start, start, zone) == [start, end]
        assert boundaries(unit, end - timedelta(microseconds=1), start, zone) == [start, end]
