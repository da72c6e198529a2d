"""Serializers of executions, their logs, and reports."""

import math
from datetime import timedelta
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

# Characters of a log line; the worker library cuts its lines at 9,000.
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
    """A line of an execution's log, stored unchanged.

    Characters that cannot be stored are escaped: a NUL character as the four characters `\\x00`, half of a
    surrogate pair like `\\ud800`.
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
    """An execution with the keys that ``context["fields"]`` names; by default with all of them."""

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


# The statuses that may be reported. PENDING may not: an execution becomes it by its creation.
REPORTABLE = [(status.value, status.label) for status in Status if status != INITIAL]


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 100})
class PercentField(serializers.Field):
    """A number from 0 to 100, rounded down to a whole one."""

    default_error_messages = {"percent": "Must be a number from 0 to 100."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data <= 100:
            self.fail("percent")
        return math.floor(data)


@example(REPORT)
class ReportSerializer(ConstrainedSerializer):
    """What a run reports: at least one of the three."""

    constraints = one_at_least("status", "progress", "results")

    status = serializers.ChoiceField(choices=REPORTABLE, required=False)
    progress = PercentField(required=False)
    results = serializers.JSONField(
        required=False, allow_null=True, help_text="Any JSON, stored unchanged; null is stored as {}."
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
    queued = serializers.BooleanField(
        help_text="Whether there may be a process, which is then being stopped."
    )
    task_id = serializers.CharField(allow_null=True, help_text="Always null.")
    errors = serializers.ListField(  # type: ignore[assignment]  # the metaclass takes it off the class
        child=serializers.CharField(), help_text="Always empty."
    )


@example(CANCELLED)
class CancelledSerializer(serializers.Serializer):
    execution = ExecutionSerializer()
    cancellation_details = CancellationSerializer()
