from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Execution, ExecutionLog
from gef_project.accounts.authentication import Caller
from gef_project.accounts.permissions import IsUserOrExecution, execution_or_staff_may
from gef_project.common.retrying import retry_briefly
from gef_project.common.schema import BODY_ERRORS, data_of, errors

from .executions import EXECUTION_ID, visible_to
from .filters import LogFilter
from .serializers import LogSerializer


@extend_schema(tags=["Executions"], parameters=[EXECUTION_ID])
class LogView(GenericAPIView[ExecutionLog]):
    queryset = ExecutionLog.objects.all()
    serializer_class = LogSerializer
    filterset_class = LogFilter
    pagination_class = None

    def get_permissions(self) -> list[Any]:
        adds = self.request.method == "POST"
        return [execution_or_staff_may("executions.change_execution")() if adds else IsUserOrExecution()]

    def get_queryset(self) -> QuerySet[ExecutionLog]:
        return ExecutionLog.objects.filter(execution=self._execution())

    @extend_schema(
        operation_id="get_execution_log",
        summary="Read an execution's log",
        description="Every line, oldest first. For its owner, staff, and the execution's own credential.",
        filters=True,
        responses={200: data_of(LogSerializer, many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, id: str) -> Response:
        lines = self.filter_queryset(self.get_queryset())
        return Response({"data": LogSerializer(lines, many=True).data})

    @extend_schema(
        operation_id="add_execution_log_line",
        summary="Add a line to an execution's log",
        description="The text is stored unchanged, also after the execution has ended. For staff and the "
        "execution's own credential.",
        request=LogSerializer,
        responses={200: data_of(LogSerializer), **errors(*BODY_ERRORS, 404, 503)},
    )
    def post(self, request: Request, id: str) -> Response:
        line = LogSerializer(data=request.data)
        line.is_valid(raise_exception=True)
        stored = retry_briefly(self._execution().log)(**line.validated_data)
        return Response({"data": LogSerializer(stored).data})

    def _execution(self) -> Execution:
        executions = visible_to(cast(Caller, self.request.user)).defer("params", "results")
        return get_object_or_404(executions, pk=self.kwargs["id"])
