from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gef_project.accounts.permissions import IsStaff
from gef_project.api.schema import data_of, errors

from .models import StatusLog
from .serializers import StatusLogSerializer, StatusPageSerializer, StatusQuerySerializer

TRACKING = """
Every change of an execution's status writes one row, in the same transaction as the change: when an
execution is created, whenever it moves, and when it is deleted. Nothing is polled or sampled, so no
change is missed, and the counts of a row are the true numbers of executions per status at that moment,
whatever happened at the same time.

- `id` grows by exactly one from row to row, and `timestamp` never decreases: who remembers the last
  `id` has missed nothing.
- `status_from` and `status_to` say what moved: a creation has no `status_from`, a deletion no
  `status_to`. A row with neither is a snapshot: the counts were taken anew, after an upgrade or a repair.
- `executions_pending`, `_ready`, `_running`, `_finished`, `_failed` and `_cancelled` count the
  executions after the change; `executions_active` is the sum of the first three.
- `execution_id` says which execution it was; `actor`, `source` and `reason` say who did it, by what, and why.

For staff only.
"""


@extend_schema(tags=["Status"])
class StatusLogView(APIView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="status_list",
        summary="List the changes of status",
        description=TRACKING + "\n`total` is exact, and a page at any depth costs what the first one costs. "
        "Parameters that are not listed here are ignored.",
        parameters=[StatusQuerySerializer],
        responses={200: StatusPageSerializer, **errors(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        query = StatusQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(query.page_of(StatusLog.objects.all()))


@extend_schema(tags=["Status"])
class CurrentStatusView(APIView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="status_current",
        summary="Read the live counts",
        description="The newest row: how many executions are in each status now." + TRACKING,
        responses={200: data_of(StatusLogSerializer), **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        return Response({"data": StatusLogSerializer(StatusLog.objects.newest()).data})
