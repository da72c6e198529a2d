from typing import Any, cast

from rest_framework import viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Execution, ExecutionQuerySet
from gef_project.accounts.authentication import Caller, OwnCredential
from gef_project.accounts.models import User
from gef_project.accounts.permissions import IsStaffOrOwnCredential, IsUser, IsUserOrOwnCredential
from gef_project.api.retrying import patiently

from .filters import ExecutionFilter
from .selection import fetching, selected_fields
from .serializers import ExecutionSerializer, ReportSerializer


def visible_to(caller: Caller) -> ExecutionQuerySet:
    """The executions that this caller may know of."""
    if isinstance(caller, OwnCredential):
        return Execution.objects.filter(pk=caller.execution_id)
    return Execution.objects.visible_to(caller)


class ExecutionViewSet(viewsets.GenericViewSet[Execution]):
    queryset = Execution.objects.all()
    serializer_class = ExecutionSerializer
    filterset_class = ExecutionFilter
    permissions: dict[str, type[BasePermission]] = {
        "retrieve": IsUserOrOwnCredential,
        "partial_update": IsStaffOrOwnCredential,
    }

    def get_permissions(self) -> list[Any]:
        return [self.permissions.get(self.action, IsUser)()]

    def get_queryset(self) -> ExecutionQuerySet:
        return fetching(visible_to(cast(Caller, self.request.user)), selected_fields(self.request))

    def retrieve(self, request: Request, pk: str) -> Response:
        return self._answer(self._find(pk))

    def partial_update(self, request: Request, pk: str) -> Response:
        execution = self._find(pk)
        report = ReportSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        patiently(execution.accept_report)(**report.validated_data, **self._attribution())
        return self._answer(execution)

    def _find(self, pk: str) -> Execution:
        return get_object_or_404(self.get_queryset(), pk=pk)

    def _attribution(self) -> dict[str, Any]:
        caller = self.request.user
        return {"actor": caller, "source": "api"} if isinstance(caller, User) else {"source": "worker"}

    def _serialize(self, executions: Any, **options: Any) -> Any:
        context = {"fields": selected_fields(self.request)}
        return ExecutionSerializer(executions, context=context, **options).data

    def _answer(self, execution: Execution) -> Response:
        return Response({"data": self._serialize(execution)})
