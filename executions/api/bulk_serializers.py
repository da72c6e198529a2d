"""Requests and responses for many executions at once."""

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
    """A report with the id of its execution."""

    id = Id()

    def validate(self, report: dict[str, Any]) -> dict[str, Any]:
        return {"id": report.pop("id"), **super().validate(report)}


@example(OUTCOME)
class OutcomeSerializer(serializers.Serializer):
    """The result of one report."""

    id = serializers.CharField(
        allow_null=True, help_text="The report's `id` as it was sent; null if it was not a string."
    )
    status = serializers.IntegerField(help_text="The HTTP status that a single request would have got.")
    ok = serializers.BooleanField(help_text="Whether the report was stored.")
    error = ErrorSerializer(required=False, help_text="Why it was not stored.")


@example(CANCEL_MANY)
class CancelManySerializer(ConstrainedSerializer):
    """Which executions to cancel: all that meet every given condition; at least one is required."""

    constraints = {
        **one_at_least("status", "script", "user_id", "started_before"),
        "additionalProperties": False,
    }

    status = serializers.ListField(
        child=serializers.ChoiceField([(one.value, one.label) for one in in_order(ACTIVE)]),
        required=False,
        min_length=1,
        help_text="Executions with one of these statuses.",
    )
    script = Text(required=False, help_text="Executions of the script with this id or slug.")
    user_id = Id(required=False, help_text="Executions of the user with this id.")
    started_before = QueryDateTimeField(
        required=False, help_text="Executions created before this time; a date means its start."
    )
    dry_run = Flag(default=True, help_text="Only return how many there are.")

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        # Ignoring a misspelt condition would cancel more than was meant.
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError({name: ["There is no such condition."] for name in unknown})
        if not body.keys() - {"dry_run"}:
            raise serializers.ValidationError(
                "Give at least one condition; to cancel all executions, list every status."
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
    matched = serializers.IntegerField(help_text="How many the filter matched.")
    cancelled = serializers.IntegerField(
        help_text="How many are CANCELLED now. The others have ended meanwhile, or remain."
    )
    remaining = serializers.IntegerField(help_text="How many can still be cancelled by asking again.")
