from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from gef_project.accounts.permissions import staff_may
from gef_project.common.export import HOW_EXPORTS_WORK, ExportView, FormatSerializer, files_of, position_of
from gef_project.common.filters import QueryDateTimeField
from gef_project.common.schema import errors

from .models import StatusLog, StatusLogQuerySet
from .row_json import COLUMNS
from .serializers import StatusLogSerializer


class StatusExportQuerySerializer(FormatSerializer):
    start_date = QueryDateTimeField(required=False, help_text="Rows from this time on; a date or a time.")
    end_date = QueryDateTimeField(
        end_of_day=True,
        required=False,
        help_text="Rows up to this time, included; a date means the whole day.",
    )

    def rows(self) -> StatusLogQuerySet:
        bounds = {name: self.validated_data.get(name) for name in ("start_date", "end_date")}
        rows = StatusLog.objects.order_by(
            "timestamp", "id"
        )  # the same order as by id, from the index by time
        if bounds["start_date"]:
            rows = rows.filter(timestamp__gte=bounds["start_date"])
        if bounds["end_date"]:
            rows = rows.filter(timestamp__lte=bounds["end_date"])
        return rows


class ExportStatusLogView(ExportView):
    permission_classes = [staff_may("status.view_statuslog")]
    name = "status-log"

    @extend_schema(
        tags=["Status"],
        operation_id="export_status_log",
        summary="Export the changes of status",
        description="Every row between two times, oldest first. For staff.\n" + HOW_EXPORTS_WORK,
        parameters=[StatusExportQuerySerializer, position_of()],
        responses={**files_of(StatusLogSerializer), **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        query = StatusExportQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        format = query.validated_data["format"]
        return self.export(query.rows(), COLUMNS, format, log=StatusLog.objects.all())
