"""What a row of the ledger looks like to clients, and how they ask for rows."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from gef_project.api.examples import EXECUTION_ID, example
from gef_project.api.filters import MomentField

from .models import StatusLog
from .states import Status

# A client that draws a week of minutes asks for 10,081 rows at once.
MOST_PER_PAGE = 10_081

PERIODS = {
    "last_day": timedelta(days=1),
    "last_week": timedelta(days=7),
    "last_month": timedelta(days=30),
    "last_year": timedelta(days=365),
    "all": None,
}

_FIELDS = {
    "id": "Grows by exactly one with each row, in the order in which the changes were committed.",
    "timestamp": "When it happened. Never decreases from one row to the next.",
    "status_from": "Where the execution came from; null if it was created, or if the row is a snapshot.",
    "status_to": "Where it went; null if it was deleted, or if the row is a snapshot.",
    "execution_id": "The execution that moved. It may have been deleted since. Null for a snapshot.",
    "actor": "The id of the user who did it; null if it was no user.",
    "source": "What did it: api, admin, worker, monitor, cleanup, shell …; empty in rows of old versions.",
    "reason": "Why, in words.",
    "executions_active": "How many had not ended: the sum of pending, ready and running.",
} | {
    f"executions_{status.lower()}": f"How many executions were {status} right after this change."
    for status in Status
}

ROW = {
    "id": 316,
    "timestamp": "2026-01-31T12:00:42.500000Z",
    "execution_id": EXECUTION_ID,
    "status_from": "RUNNING",
    "status_to": "FINISHED",
    "executions_pending": 2,
    "executions_ready": 0,
    "executions_running": 5,
    "executions_finished": 120,
    "executions_failed": 7,
    "executions_cancelled": 3,
    "executions_active": 7,
    "actor": None,
    "source": "worker",
    "reason": "",
}
PAGE = {"data": [ROW], "page": 1, "per_page": 100, "total": 1}


@example(ROW)
class StatusLogSerializer(serializers.ModelSerializer[StatusLog]):
    """One change of one execution's status, and how many executions were in each status after it."""

    execution_id = serializers.UUIDField(allow_null=True, help_text=_FIELDS["execution_id"])
    actor = serializers.UUIDField(source="actor_id", allow_null=True, help_text=_FIELDS["actor"])

    class Meta:
        model = StatusLog
        fields = [
            "id",
            "timestamp",
            "execution_id",
            "status_from",
            "status_to",
            "executions_pending",
            "executions_ready",
            "executions_running",
            "executions_finished",
            "executions_failed",
            "executions_cancelled",
            "executions_active",
            "actor",
            "source",
            "reason",
        ]
        read_only_fields = fields
        extra_kwargs = {name: {"help_text": text} for name, text in _FIELDS.items()}


class StatusQuerySerializer(serializers.Serializer):
    """The query parameters of the list."""

    start_date = MomentField(required=False, help_text="Rows from this moment on; a day or a moment.")
    end_date = MomentField(
        ends=True, required=False, help_text="Rows up to this moment, included; a day means all of it."
    )
    period = serializers.ChoiceField(
        choices=list(PERIODS),
        default="all",
        help_text="Rows of this time up to now; ignored if start_date or end_date is given.",
    )
    sort = serializers.ChoiceField(
        choices=["timestamp", "-timestamp"], default="-timestamp", help_text="Newest first unless given."
    )
    page = serializers.IntegerField(default=1, help_text="From 1 on. One past the end is empty.")
    per_page = serializers.IntegerField(default=100, help_text=f"Rows a page: 1 to {MOST_PER_PAGE}.")

    def page_of(self, logs: Any) -> dict[str, Any]:
        """The answer: one page of what the parameters ask for, and the exact number of all pages' rows."""
        asked = self.validated_data
        page, per_page = max(asked["page"], 1), min(max(asked["per_page"], 1), MOST_PER_PAGE)
        ids = logs.ids_between(*self._times())
        if asked["sort"] == "-timestamp":
            ids = ids[::-1]
        rows = logs.with_ids(ids[(page - 1) * per_page : page * per_page])
        data = StatusLogSerializer(rows, many=True).data
        return {"data": data, "page": page, "per_page": per_page, "total": len(ids)}

    def _times(self) -> tuple[Any, Any]:
        start, end = (self.validated_data.get(name) for name in ("start_date", "end_date"))
        lasts = PERIODS[self.validated_data["period"]]
        if lasts and not (start or end):
            start = timezone.now() - lasts
        return start, end


@example(PAGE)
class StatusPageSerializer(serializers.Serializer):
    data = StatusLogSerializer(many=True)  # type: ignore[assignment]  # the metaclass takes it off the class
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total = serializers.IntegerField(help_text="How many rows there are on all pages, exactly.")
