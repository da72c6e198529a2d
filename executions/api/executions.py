from typing import Any, cast

from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Execution, ExecutionQuerySet
from executions.models.queryset import CANCEL
from gef_project.accounts.authentication import Caller, ExecutionCredential
from gef_project.accounts.models import User
from gef_project.accounts.permissions import IsUser, IsUserOrExecution, execution_or_staff_may, staff_may
from gef_project.common.errors import BadRequest
from gef_project.common.retrying import retry_briefly
from gef_project.common.schema import BODY_ERRORS, data_of, errors
from status.exceptions import IllegalTransition
from status.states import Status

from .bulk import BulkReportMixin
from .field_selection import INCLUDE_PARAMETERS, fetch_selected, selected_fields, serialize_execution
from .filters import ExecutionFilter, ExecutionFilterAndSort
from .serializers import CancelledSerializer, ExecutionSerializer, ReportSerializer

EXECUTION_ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="The execution's id.")
_ONE = [EXECUTION_ID, *INCLUDE_PARAMETERS]


def visible_to(caller: Caller) -> ExecutionQuerySet:
    """The executions that this caller may see."""
    if isinstance(caller, ExecutionCredential):
        return Execution.objects.filter(pk=caller.execution_id)
    return Execution.objects.visible_to(caller)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_executions",
        summary="List executions",
        description="Staff see everybody's, users their own. By default those that have not ended come "
        "first, and then those that ended last. Parameters that are not listed here are ignored.",
        parameters=INCLUDE_PARAMETERS,
        responses={200: ExecutionSerializer(many=True), **errors(400, 401, 403)},
    ),
    retrieve=extend_schema(
        operation_id="get_execution",
        summary="Read an execution",
        description="For its owner, staff, and the execution's own credential.",
        parameters=_ONE,
        responses={200: data_of(ExecutionSerializer), **errors(401, 403, 404)},
    ),
    partial_update=extend_schema(
        operation_id="report_execution",
        summary="Report status, progress and results",
        description="For staff and the execution's own credential. All of a report is stored in one "
        "transaction. A status that ends the execution sets progress to 100 unless the report has one. The "
        "same final report may be sent twice. A report that comes too late, or whose transition is illegal, "
        "gets 409, and is kept as a line of the execution's log.",
        parameters=_ONE,
        request=ReportSerializer,
        responses={200: data_of(ExecutionSerializer), **errors(*BODY_ERRORS, 404, 409, 503)},
    ),
)
@extend_schema(tags=["Executions"])
class ExecutionViewSet(BulkReportMixin, viewsets.GenericViewSet[Execution]):
    queryset = Execution.objects.all()
    serializer_class = ExecutionSerializer
    filter_backends = [DjangoFilterBackend, ExecutionFilterAndSort]
    filterset_class = ExecutionFilter
    permissions: dict[str, type[BasePermission]] = {
        "retrieve": IsUserOrExecution,
        "partial_update": execution_or_staff_may("executions.change_execution"),
        "report_many": staff_may("executions.change_execution"),
    }

    def get_permissions(self) -> list[Any]:
        return [self.permissions.get(self.action, IsUser)()]

    def get_queryset(self) -> ExecutionQuerySet:
        return fetch_selected(visible_to(cast(Caller, self.request.user)), selected_fields(self.request))

    def list(self, request: Request) -> Response:
        return self._answer_list(self.get_queryset())

    @extend_schema(
        operation_id="list_own_executions",
        summary="List one's own executions",
        description="Like the list of executions, but staff, too, see only their own.",
        parameters=INCLUDE_PARAMETERS,
        responses={200: ExecutionSerializer(many=True), **errors(400, 401, 403)},
    )
    @action(detail=False, url_path="user")
    def mine(self, request: Request) -> Response:
        return self._answer_list(self.get_queryset().filter(user=request.user))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response({"data": self._written(self._find(pk))})

    def partial_update(self, request: Request, pk: str) -> Response:
        execution = self._find(pk)
        report = ReportSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        retry_briefly(execution.accept_report)(**report.validated_data, **self._attribution())
        return Response({"data": self._written(execution)})

    @extend_schema(
        operation_id="cancel_execution",
        summary="Cancel an execution",
        description="For its owner and staff. It is CANCELLED at once; then its worker stops the process, if "
        "there is one.",
        parameters=_ONE,
        request=None,
        responses={
            202: data_of(CancelledSerializer),
            **errors(400, 401, 403, 404, 503, e400="The execution has ended already (`has_ended`)."),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        execution = self._find(pk)
        if not (execution.user_id == request.user.pk or cast(User, request.user).may(CANCEL)):
            raise PermissionDenied(f"Only its owner and staff with the permission {CANCEL} may do this.")
        try:
            log = retry_briefly(execution.cancel)(**self._attribution())
        except IllegalTransition:
            log = None
        if log is None:
            raise BadRequest(f"The execution has ended already, as {execution.status}.", "has_ended")
        details: dict[str, object] = {
            "execution_id": execution.pk,
            "previous_status": log.status_from,
            "new_status": log.status_to,
            "queued": log.status_from != Status.PENDING,
            "task_id": None,
            "errors": [],
        }
        data = {"execution": self._written(execution), "cancellation_details": details}
        return Response({"data": data}, status=202)

    def _find(self, pk: str) -> Execution:
        return get_object_or_404(self.get_queryset(), pk=pk)

    def _attribution(self) -> dict[str, Any]:
        caller = self.request.user
        return {"actor": caller, "source": "api"} if isinstance(caller, User) else {"source": "worker"}

    def _written(self, execution: Execution) -> dict[str, Any]:
        return serialize_execution(execution, selected_fields(self.request))

    def _answer_list(self, executions: ExecutionQuerySet) -> Response:
        page = self.paginate_queryset(self.filter_queryset(executions.open_first()))
        fields = selected_fields(self.request)
        return self.get_paginated_response(
            [serialize_execution(execution, fields) for execution in page or []]
        )
