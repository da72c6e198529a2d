"""What executions and log lines look like to clients, and what clients may send."""

import math
from datetime import timedelta
from functools import lru_cache
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from executions.models import Execution, ExecutionLog, Level, storable
from gef_project.accounts.serializers import UserSerializer
from gef_project.common.examples import example
from gef_project.common.fields import ModelSerializer
from gef_project.common.schema import ConstrainedSerializer, one_at_least
from status.states import INITIAL, Status

from .examples import CANCELLED, EXECUTION, LINE, NEW_LINE, REPORT
from .script_serializers import ScriptSerializer

# The longest line of a log; the worker library cuts its lines at 9,000 characters.
LOG_TEXT_LIMIT = 100_000


@extend_schema_field(OpenApiTypes.DOUBLE)
class SecondsField(serializers.Field):
    def to_representation(self, value: timedelta) -> float:
        return value.total_seconds()


class LogTextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        return storable(super().to_internal_value(data))


@example(LINE, request=NEW_LINE)
class LogSerializer(ModelSerializer[ExecutionLog]):
    """A line of an execution's log, kept to the letter.

    What cannot be stored is written out: a NUL character as the four characters `\\x00`, half of a
    surrogate pair as the likes of `\\ud800`.
    """

    execution_id = serializers.UUIDField(read_only=True)
    text = LogTextField(trim_whitespace=False, allow_blank=True, max_length=LOG_TEXT_LIMIT)
    level = serializers.ChoiceField(choices=Level.choices)

    class Meta:
        model = ExecutionLog
        fields = ["id", "text", "level", "register_date", "execution_id"]
        read_only_fields = ["register_date"]


@example(EXECUTION)
class ExecutionSerializer(serializers.ModelSerializer[Execution]):
    """An execution; the context says in ``fields`` which of its keys are asked for (all by default)."""

    script_id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    params = serializers.JSONField(required=False)
    results = serializers.JSONField(required=False)
    duration = SecondsField(required=False, help_text="Seconds from the creation to the end, or to now.")
    script_name = serializers.CharField(source="script.name", required=False)
    user_name = serializers.CharField(source="user.name", required=False, help_text="For staff only.")
    user_email = serializers.CharField(source="user.email", required=False, help_text="For staff only.")
    script = ScriptSerializer(required=False)
    user = UserSerializer(required=False)
    logs = LogSerializer(many=True, required=False)

    class Meta:
        model = Execution
        fields = [
            "id",
            "script_id",
            "user_id",
            "status",
            "progress",
            "start_date",
            "end_date",
            "params",
            "results",
            "queued_at",
            "dispatched_at",
            "duration",
            "script_name",
            "user_name",
            "user_email",
            "script",
            "user",
            "logs",
        ]
        read_only_fields = fields

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        wanted = self.context.get("fields", fields)
        return {name: field for name, field in fields.items() if name in wanted}


@lru_cache(64)
def _writer(fields: frozenset[str]) -> ExecutionSerializer:
    """Kept: making its fields takes longer than writing an execution. It has no state of its own."""
    return ExecutionSerializer(context={"fields": fields})


def serialize_execution(execution: Execution, fields: frozenset[str]) -> dict[str, Any]:
    """The execution, with these of its keys, as clients get it."""
    return _writer(fields).to_representation(execution)


# What may be reported: an execution becomes PENDING by its creation only.
REPORTABLE = [(status.value, status.label) for status in Status if status != INITIAL]


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 100})
class PercentField(serializers.Field):
    """A number from 0 to 100; what follows its decimal point is cut off."""

    default_error_messages = {"percent": "Must be a number from 0 to 100."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data <= 100:
            self.fail("percent")
        return math.floor(data)


@example(REPORT)
class ReportSerializer(ConstrainedSerializer):
    """What a run reports of itself: one of the three at least."""

    constraints = one_at_least("status", "progress", "results")

    status = serializers.ChoiceField(choices=REPORTABLE, required=False)
    progress = PercentField(required=False)
    results = serializers.JSONField(
        required=False, allow_null=True, help_text="Any JSON, kept as it is. null means none: {}."
    )

    def validate_results(self, results: Any) -> Any:
        return {} if results is None else results

    def validate(self, report: dict[str, Any]) -> dict[str, Any]:
        if not report:
            raise serializers.ValidationError("Give a status, progress or results.")
        return report


class CancellationSerializer(serializers.Serializer):
    execution_id = serializers.UUIDField()
    previous_status = serializers.ChoiceField(choices=Status.choices)
    new_status = serializers.ChoiceField(choices=Status.choices)
    queued = serializers.BooleanField(help_text="Whether there may be a process that is being stopped now.")
    task_id = serializers.CharField(allow_null=True, help_text="Always null.")
    errors = serializers.ListField(  # type: ignore[assignment]  # the metaclass takes it off the class
        child=serializers.CharField(), help_text="Always empty."
    )


@example(CANCELLED)
class CancelledSerializer(serializers.Serializer):
    execution = ExecutionSerializer()
    cancellation_details = CancellationSerializer()
