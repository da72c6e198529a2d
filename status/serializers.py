"""What a row of the ledger, and a bucket of them, look like to clients."""

from rest_framework import serializers

from gef_project.common.examples import EXECUTION_ID, example

from .models import StatusLog
from .states import ACTIVE, Status, in_order

_FIELDS = {
    "id": "Grows by exactly one with each row, in the order in which the changes were committed.",
    "timestamp": "When it happened. Never decreases from one row to the next.",
    "status_from": "Where the execution came from; null if it was created, or if the row is a snapshot.",
    "status_to": "Where it went; null if it was deleted, or if the row is a snapshot.",
    "execution_id": "Which execution it was. It may have been deleted since. Null for a snapshot.",
    "actor": "The id of the user who did it; null if it was no user.",
    "source": "What did it: api, admin, worker, monitor, cleanup, shell …; empty in rows of old versions.",
    "reason": "Why, in words.",
    "executions_active": "How many had not ended: the sum of pending, ready and running.",
} | {
    f"executions_{status.lower()}": f"How many executions were {status} right after this change."
    for status in Status
}
for _name in ("executions_pending", "executions_cancelled"):
    _FIELDS[_name] += " 0 in rows of old versions, which did not record it."

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


@example(PAGE)
class StatusPageSerializer(serializers.Serializer):
    data = StatusLogSerializer(many=True)  # type: ignore[assignment]  # the metaclass takes it off the class
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total = serializers.IntegerField(help_text="How many rows there are on all pages, exactly.")
    examined_until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Only with a filter: null if every row of the time was looked at. Otherwise data and total "
        "are of the rows up to this time, in the order of sort; ask on from there.",
    )


_LEVEL_NAMES = [*(status.lower() for status in in_order(ACTIVE)), "active"]


def _over_time(name: str, field: type[serializers.Field]) -> serializers.Serializer:
    levels = {level: field() for level in _LEVEL_NAMES}
    kind = type(f"{name.title()}Serializer", (serializers.Serializer,), levels)
    found: serializers.Serializer = kind(
        required=False, help_text=f"The {name} over the bucket, if included."
    )
    return found


class BucketSerializer(serializers.Serializer):
    """An hour, a day, a week or a month of the ledger."""

    timestamp = serializers.DateTimeField(help_text="When the bucket begins.")
    executions_pending = serializers.IntegerField(help_text="How many were PENDING at the bucket's end.")
    executions_ready = serializers.IntegerField(help_text="How many were READY at the bucket's end.")
    executions_running = serializers.IntegerField(help_text="How many were RUNNING at the bucket's end.")
    executions_active = serializers.IntegerField(help_text="The sum of these three.")
    executions_finished = serializers.IntegerField(help_text="How many ended as FINISHED in the bucket.")
    executions_failed = serializers.IntegerField(help_text="How many ended as FAILED in the bucket.")
    executions_cancelled = serializers.IntegerField(help_text="How many ended as CANCELLED in the bucket.")
    cumulative_finished = serializers.IntegerField(help_text="From the first bucket to this one.")
    cumulative_failed = serializers.IntegerField(help_text="From the first bucket to this one.")
    cumulative_cancelled = serializers.IntegerField(help_text="From the first bucket to this one.")
    average = _over_time("average", serializers.FloatField)
    maximum = _over_time("maximum", serializers.IntegerField)


class BucketsSerializer(serializers.Serializer):
    data = BucketSerializer(many=True)  # type: ignore[assignment]  # the metaclass takes it off the class
    page = serializers.IntegerField(help_text="Always 1.")
    per_page = serializers.IntegerField(help_text="The number of buckets.")
    total = serializers.IntegerField(help_text="The number of buckets.")
