"""What comes and goes when many executions are meant."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework import serializers

from gef_project.common.examples import EXECUTION_ID, example
from gef_project.common.fields import Flag, Id, Text
from gef_project.common.filters import QueryDateTimeField
from gef_project.common.schema import ConstrainedSerializer, ErrorSerializer, one_at_least
from status.states import ACTIVE, in_order

from .examples import CANCEL_MANY, CANCELLED_MANY, OUTCOME, REPORT
from .serializers import ReportSerializer


@example(REPORT | {"id": EXECUTION_ID})
class OwnReportSerializer(ReportSerializer):
    """A report that says which execution it is of."""

    id = Id()

    def validate(self, report: dict[str, Any]) -> dict[str, Any]:
        return {"id": report.pop("id"), **super().validate(report)}


@example(OUTCOME)
class OutcomeSerializer(serializers.Serializer):
    """What has become of one report."""

    id = serializers.CharField(
        allow_null=True, help_text="The report's `id` as it was sent; null if it was no text."
    )
    status = serializers.IntegerField(help_text="The HTTP status that it would have got by itself.")
    ok = serializers.BooleanField(help_text="Whether it is stored.")
    error = ErrorSerializer(required=False, help_text="Why it is not.")


@example(CANCEL_MANY)
class CancelManySerializer(ConstrainedSerializer):
    """Which executions to cancel: all that meet every condition that is given, one at least."""

    constraints = {
        **one_at_least("status", "script", "user_id", "started_before"),
        "additionalProperties": False,
    }

    status = serializers.ListField(
        child=serializers.ChoiceField([(one.value, one.label) for one in in_order(ACTIVE)]),
        required=False,
        min_length=1,
        help_text="In one of these statuses.",
    )
    script = Text(required=False, help_text="Of the script with this id or slug.")
    user_id = Id(required=False, help_text="Of this user.")
    started_before = QueryDateTimeField(
        required=False, help_text="Created before this moment; a day means its first instant."
    )
    dry_run = Flag(default=True, help_text="Only say how many there are.")

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        # A misspelt condition would widen what is cancelled.
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError({name: ["There is no such condition."] for name in unknown})
        if not body.keys() - {"dry_run"}:
            raise serializers.ValidationError(
                "Give one condition at least; every status at once means all executions."
            )
        return body

    def conditions(self) -> Q:
        asked, conditions = self.validated_data, Q()
        if "status" in asked:
            conditions &= Q(status__in=asked["status"])
        if "script" in asked:
            conditions &= _is_script(asked["script"])
        if "user_id" in asked:
            conditions &= Q(user=asked["user_id"])
        if "started_before" in asked:
            conditions &= Q(start_date__lt=asked["started_before"])
        return conditions


def _is_script(slug_or_id: str) -> Q:
    try:
        return Q(script=UUID(slug_or_id))
    except ValueError:
        return Q(script__slug=slug_or_id)


@example(CANCELLED_MANY)
class CancelledManySerializer(serializers.Serializer):
    dry_run = serializers.BooleanField()
    matched = serializers.IntegerField(help_text="How many the filter found.")
    cancelled = serializers.IntegerField(
        help_text="How many are CANCELLED now. The others have ended meanwhile, or remain."
    )
    remaining = serializers.IntegerField(help_text="How many can still be cancelled by asking again.")
