from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Execution, ExecutionLog
from gef_project.accounts.authentication import Caller
from gef_project.accounts.permissions import IsStaffOrOwnCredential, IsUserOrOwnCredential

from .executions import visible_to
from .filters import LogFilter
from .serializers import LogSerializer


class LogView(GenericAPIView[ExecutionLog]):
    queryset = ExecutionLog.objects.all()
    serializer_class = LogSerializer
    filterset_class = LogFilter
    pagination_class = None

    def get_permissions(self) -> list[Any]:
        return [IsStaffOrOwnCredential() if self.request.method == "POST" else IsUserOrOwnCredential()]

    def get_queryset(self) -> QuerySet[ExecutionLog]:
        return ExecutionLog.objects.filter(execution=self._execution())

    def get(self, request: Request, pk: str) -> Response:
        lines = self.filter_queryset(self.get_queryset())
        return Response({"data": LogSerializer(lines, many=True).data})

    def post(self, request: Request, pk: str) -> Response:
        line = LogSerializer(data=request.data)
        line.is_valid(raise_exception=True)
        stored = self._execution().log(**line.validated_data)
        return Response({"data": LogSerializer(stored).data})

    def _execution(self) -> Execution:
        executions = visible_to(cast(Caller, self.request.user)).defer("params", "results")
        return get_object_or_404(executions, pk=self.kwargs["pk"])
