from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from executions.models import Execution, ExecutionQuerySet
from gef_project.accounts.permissions import staff_may
from gef_project.common.examples import example
from gef_project.common.export import (
    HOW_EXPORTS_WORK,
    ROWS_AT_ONCE,
    ExportView,
    FormatSerializer,
    files_of,
    position_of,
)
from gef_project.common.filters import QueryDateTimeField
from gef_project.common.schema import errors
from status.models import StatusLog
from status.states import Status

from .examples import EXPORTED

COLUMNS = {
    "id": "id",
    "script_id": "script_id",
    "user_id": "user_id",
    "status": "status",
    "progress": "progress",
    "start_date": "start_date",
    "end_date": "end_date",
    "queued_at": "queued_at",
    "dispatched_at": "dispatched_at",
    "duration": "lasted",
    "script_name": "script__name",
    "user_name": "user__name",
    "user_email": "user__email",
}
# They may have any size, so they are exported on request only, and then one row at a time.
LARGE = ("params", "results")


class ExportQuerySerializer(FormatSerializer):
    date_field = serializers.ChoiceField(
        choices=["start_date", "end_date"],
        default="start_date",
        help_text="The date that `date_from` and `date_to` limit, and that the rows are sorted by.",
    )
    date_from = QueryDateTimeField(required=False, help_text="From this time on; a date or a time.")
    date_to = QueryDateTimeField(
        end_of_day=True, required=False, help_text="Up to this time, included; a date means the whole day."
    )
    include = serializers.CharField(
        default="", allow_blank=True, help_text="Comma-separated: params, results. Others are ignored."
    )

    def rows(self) -> ExecutionQuerySet:
        asked = self.validated_data
        date = asked["date_field"]
        bounds = {f"{date}__gte": asked.get("date_from"), f"{date}__lte": asked.get("date_to")}
        lasted = Coalesce("end_date", Now()) - F("start_date")
        executions = Execution.objects.filter(**{name: value for name, value in bounds.items() if value})
        return executions.annotate(lasted=lasted).order_by(date, "id")

    def large(self) -> dict[str, str]:
        included = {name.strip() for name in self.validated_data["include"].split(",")}
        return {name: name for name in LARGE if name in included}


@example(EXPORTED)
class ExportedSerializer(serializers.Serializer):
    """A line of the file."""

    id = serializers.UUIDField()
    script_id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Status.choices)
    progress = serializers.IntegerField()
    start_date = serializers.DateTimeField()
    end_date = serializers.DateTimeField(allow_null=True)
    queued_at = serializers.DateTimeField(allow_null=True)
    dispatched_at = serializers.DateTimeField(allow_null=True)
    duration = serializers.FloatField(help_text="Seconds from the creation to the end, or to the export.")
    script_name = serializers.CharField()
    user_name = serializers.CharField()
    user_email = serializers.CharField()
    params = serializers.JSONField(required=False)
    results = serializers.JSONField(required=False)


class ExportExecutionsView(ExportView):
    permission_classes = [staff_may("executions.view_execution")]
    name = "executions"

    @extend_schema(
        tags=["Executions"],
        operation_id="export_executions",
        summary="Export executions",
        description="Every execution whose date is between two times, in the order of that date. For "
        "staff.\n" + HOW_EXPORTS_WORK,
        parameters=[ExportQuerySerializer, position_of()],
        responses={**files_of(ExportedSerializer), **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        query = ExportQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        large = query.large()
        return self.export(
            query.rows(),
            COLUMNS | large,
            query.validated_data["format"],
            log=StatusLog.objects.all(),
            at_once=1 if large else ROWS_AT_ONCE,
        )
