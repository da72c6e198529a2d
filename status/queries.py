"""How clients ask for the ledger: pages of its rows, buckets of time, or what is new."""

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

# How many rows are looked at for those that a filter lets through, unless it names an execution, whose rows
# have an index: half a second at worst.
MAX_EXAMINED = 1_000_000

# How many rows an average reads, some seconds at worst.
MAX_AVERAGED = 2_000_000

MAX_WAIT = 60  # seconds; common proxies give up after that long

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
    """Read from hundreds of files, so only once."""
    return available_timezones()


class StatusQuerySerializer(serializers.Serializer):
    """The query parameters."""

    start_date = QueryDateTimeField(required=False, help_text="Rows from this moment on; a day or a moment.")
    end_date = QueryDateTimeField(
        end_of_day=True, required=False, help_text="Rows up to this moment, included; a day means all of it."
    )
    period = serializers.ChoiceField(
        choices=list(PERIODS),
        default="all",
        help_text="Rows of this time up to now; ignored if start_date or end_date is given.",
    )
    sort = serializers.ChoiceField(
        choices=["timestamp", "-timestamp"],
        required=False,
        help_text="Rows come newest first unless given, buckets oldest first.",
    )
    page = serializers.IntegerField(default=1, help_text="From 1 on. One past the end is empty.")
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
    actor = serializers.UUIDField(required=False, help_text="Only what the user with this id did.")
    aggregate = serializers.BooleanField(default=False, help_text="Buckets of time instead of rows.")
    group_by = serializers.ChoiceField(
        choices=UNITS, required=False, help_text="How long a bucket is; needed with aggregate."
    )
    tz = serializers.CharField(
        default="UTC", help_text="The time zone of the buckets by its IANA name, such as Europe/Berlin."
    )
    include = serializers.CharField(
        default="",
        allow_blank=True,
        help_text=f"With aggregate: {' or '.join(OVER_TIME)} or both, with a comma between.",
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
        help_text=f"With after: if there is none yet, wait for one so many seconds, {MAX_WAIT} at most.",
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
        """One page of the rows that are asked for, and how many there are on all pages."""
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
        """All buckets of the time that is asked for, as far as there are rows, whole at both ends.

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
            moments = boundaries(asked["group_by"], start, end, asked["tz"])
        except TooManyBuckets as error:
            raise serializers.ValidationError({"group_by": str(error)}) from error
        found = buckets(moments)
        if asked["include"]:
            if len(logs.ids_between(moments[0], moments[-1])) > MAX_AVERAGED:
                text = f"Reads every row; more than {MAX_AVERAGED:,} of this time: ask for a shorter one."
                raise serializers.ValidationError({"include": text})
            add_over_time(found, moments, now, asked["include"])
        return found

    def _times(self) -> tuple[datetime | None, datetime | None]:
        start, end = (self.validated_data.get(name) for name in ("start_date", "end_date"))
        lasts = PERIODS[self.validated_data["period"]]
        if lasts and not (start or end):
            start = timezone.now() - lasts
        return start, end
