"""The query parameters of the status log, and their answers: pages of rows, and buckets."""

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone
from rest_framework import serializers

from gef_project.common.datetimes import format_datetime
from gef_project.common.filters import QueryDateTimeField

from .aggregation import add_over_time, buckets
from .buckets import UNITS, TooManyBuckets, boundaries
from .models import StatusLogQuerySet
from .row_json import serialize_rows
from .states import Status

# A client that draws a week of minutes asks for 10,081 rows at once.
MAX_PER_PAGE = 10_081

# How many rows a filter may examine, which takes half a second at worst. One by execution has an index, and
# no limit.
MAX_EXAMINED = 1_000_000

# How many rows an average may read, which takes some seconds at worst.
MAX_AVERAGED = 2_000_000

MAX_WAIT = 60  # seconds; common proxies end a request after that time

PERIODS = {
    "last_day": timedelta(days=1),
    "last_week": timedelta(days=7),
    "last_month": timedelta(days=30),
    "last_year": timedelta(days=365),
    "all": None,
}
FILTERS = ["execution_id", "status_from", "status_to", "source", "actor"]
FEED_PARAMETERS = ["after", "wait", "per_page"]
OVER_TIME = ["average", "maximum"]

_STATUSES = [*Status.choices, ("none", "The row has none: see status_from and status_to of a row.")]


@cache
def _time_zones() -> set[str]:
    """Cached, since it is read from hundreds of files."""
    return available_timezones()


class StatusQuerySerializer(serializers.Serializer):
    """The query parameters."""

    start_date = QueryDateTimeField(required=False, help_text="Rows from this time on; a date or a time.")
    end_date = QueryDateTimeField(
        end_of_day=True,
        required=False,
        help_text="Rows up to this time, included; a date means the whole day.",
    )
    period = serializers.ChoiceField(
        choices=list(PERIODS),
        default="all",
        help_text="Rows of this last period; ignored if start_date or end_date is given.",
    )
    sort = serializers.ChoiceField(
        choices=["timestamp", "-timestamp"],
        required=False,
        help_text="By default rows come newest first, and buckets oldest first.",
    )
    page = serializers.IntegerField(default=1, help_text="From 1 on. A page past the end is empty.")
    per_page = serializers.IntegerField(default=100, help_text=f"Rows a page: 1 to {MAX_PER_PAGE}.")
    execution_id = serializers.UUIDField(required=False, help_text="Only this execution's rows.")
    status_from = serializers.ChoiceField(
        choices=_STATUSES, required=False, help_text="Only rows with this status_from; `none`: with none."
    )
    status_to = serializers.ChoiceField(
        choices=_STATUSES, required=False, help_text="Only rows with this status_to; `none`: with none."
    )
    source = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes it off the class
        required=False, help_text="Only rows with exactly this source."
    )
    actor = serializers.UUIDField(required=False, help_text="Only changes by the user with this id.")
    aggregate = serializers.BooleanField(default=False, help_text="Buckets of time instead of rows.")
    group_by = serializers.ChoiceField(
        choices=UNITS, required=False, help_text="The length of a bucket; needed with aggregate."
    )
    tz = serializers.CharField(
        default="UTC", help_text="The time zone of the buckets by its IANA name, such as Europe/Berlin."
    )
    include = serializers.CharField(
        default="",
        allow_blank=True,
        help_text=f"With aggregate: {' or '.join(OVER_TIME)}, or both separated by a comma.",
    )
    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**63 - 1,
        help_text="Only the rows after the one with this id, oldest first; alone or with wait and per_page.",
    )
    wait = serializers.FloatField(
        default=0,
        min_value=0,
        help_text=f"With after: how many seconds to wait if there is no such row yet; {MAX_WAIT} at most.",
    )

    def validate_tz(self, name: str) -> ZoneInfo:
        if name not in _time_zones():
            raise serializers.ValidationError(f"{name!r} is not the IANA name of a time zone.")
        return ZoneInfo(name)

    def validate_wait(self, seconds: float) -> float:
        if math.isnan(seconds):
            raise serializers.ValidationError("A valid number is required.")
        return seconds

    def validate_include(self, names: str) -> list[str]:
        asked = [name.strip() for name in names.split(",") if name.strip()]
        if unknown := set(asked) - set(OVER_TIME):
            raise serializers.ValidationError(f"Unknown: {', '.join(sorted(unknown))}.")
        return asked

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "after" in asked:
            self._refuse(set(self.fields) - set(FEED_PARAMETERS), "after")
        elif "wait" in self.initial_data:
            raise serializers.ValidationError({"wait": "Needs after: the id of the last row that is known."})
        if asked["aggregate"]:
            self._refuse(FILTERS, "aggregate")
            if "group_by" not in asked:
                raise serializers.ValidationError({"group_by": f"Needed with aggregate: {', '.join(UNITS)}."})
        return asked

    def _refuse(self, names: Any, beside: str) -> None:
        refusal = f"Cannot be combined with {beside}."
        if refused := {name: refusal for name in names if name in self.initial_data}:
            raise serializers.ValidationError(refused)

    @property
    def wait_seconds(self) -> float:
        return min(float(self.validated_data["wait"]), MAX_WAIT)

    @property
    def per_page_rows(self) -> int:
        return min(max(int(self.validated_data["per_page"]), 1), MAX_PER_PAGE)

    def page_of(self, logs: StatusLogQuerySet) -> dict[str, Any]:
        """One page of the requested rows, and how many rows there are on all pages."""
        start, end = self._times()
        ids = logs.ids_between(start, end)
        if self.validated_data.get("sort") != "timestamp":
            ids = ids[::-1]
        page, per_page = max(self.validated_data["page"], 1), self.per_page_rows
        place = slice((page - 1) * per_page, page * per_page)
        if filters := self._filters():
            rows, counts = self._filtered(logs, ids, place, filters)
        else:
            rows, counts = logs.with_ids(ids[place]), {"total": len(ids)}
        return {"data": serialize_rows(rows), "page": page, "per_page": per_page, **counts}

    def _filtered(
        self, logs: StatusLogQuerySet, ids: range, place: slice, filters: dict[str, Any]
    ) -> tuple[StatusLogQuerySet, dict[str, Any]]:
        examined = ids if "execution_id" in filters else ids[:MAX_EXAMINED]
        matching = logs.with_ids(examined).filter(**filters)
        total = matching.count()
        until = None
        if len(examined) < len(ids):
            until = logs.values_list("timestamp", flat=True).get(pk=examined[-1])
        rows = matching[place] if place.start < total else matching.none()
        return rows, {"total": total, "examined_until": until and format_datetime(until)}

    def _filters(self) -> dict[str, Any]:
        given = {name: self.validated_data[name] for name in FILTERS if name in self.validated_data}
        if "actor" in given:
            given["actor_id"] = given.pop("actor")
        return {
            name: None if value == "none" and name != "source" else value for name, value in given.items()
        }

    def buckets_of(self, logs: StatusLogQuerySet) -> dict[str, Any]:
        """All buckets of the requested time for which there are rows; the first and the last are whole.

        Raises:
            serializers.ValidationError: too many buckets, or too many rows to average.
        """
        found = self._buckets(logs)
        for bucket in found:
            bucket["timestamp"] = format_datetime(bucket["timestamp"])
        if self.validated_data.get("sort") == "-timestamp":
            found.reverse()
        return {"data": found, "page": 1, "per_page": len(found), "total": len(found)}

    def _buckets(self, logs: StatusLogQuerySet) -> list[dict[str, Any]]:
        asked, now = self.validated_data, timezone.now()
        start, end = self._times()
        oldest = logs.earliest("id").timestamp
        start, end = max(start or oldest, oldest), min(end or now, now)
        if start > end:
            return []
        try:
            bounds = boundaries(asked["group_by"], start, end, asked["tz"])
        except TooManyBuckets as error:
            raise serializers.ValidationError({"group_by": str(error)}) from error
        found = buckets(bounds)
        if asked["include"]:
            if len(logs.ids_between(bounds[0], bounds[-1])) > MAX_AVERAGED:
                text = f"There are more than {MAX_AVERAGED:,} rows to read; ask for a shorter time."
                raise serializers.ValidationError({"include": text})
            add_over_time(found, bounds, now, asked["include"])
        return found

    def _times(self) -> tuple[datetime | None, datetime | None]:
        start, end = (self.validated_data.get(name) for name in ("start_date", "end_date"))
        lasts = PERIODS[self.validated_data["period"]]
        if lasts and not (start or end):
            start = timezone.now() - lasts
        return start, end
