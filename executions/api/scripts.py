from typing import Any, cast
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    extend_schema,
    extend_schema_view,
)
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Script
from executions.models.script import VIEW, ScriptQuerySet
from gef_project.accounts.models import User
from gef_project.accounts.permissions import IsUser, staff_may
from gef_project.common.errors import BadRequest
from gef_project.common.retrying import retry_briefly
from gef_project.common.schema import BODY_ERRORS, data_of, errors

from .examples import PARAMS
from .field_selection import INCLUDE_PARAMETERS, names_in, selected_fields, serialize_execution
from .filters import ScriptFilterAndSort
from .script_serializers import (
    ScriptLogQuerySerializer,
    ScriptLogSerializer,
    ScriptSerializer,
    SeenScriptSerializer,
    StaffScriptSerializer,
)
from .serializers import ExecutionSerializer

_ONE = [OpenApiParameter("id", str, OpenApiParameter.PATH, description="The script's id or slug.")]


@extend_schema_view(
    list=extend_schema(
        operation_id="list_scripts",
        summary="List the scripts",
        description="Users see published scripts; staff see all, with their command and time limit. By "
        "default they are in the order of their slugs.",
        responses={200: SeenScriptSerializer(many=True), **errors(400, 401, 403)},
    ),
    create=extend_schema(
        operation_id="create_script",
        summary="Add a script",
        description="For staff. The response is 200, as for every success.",
        request=StaffScriptSerializer,
        responses={200: data_of(StaffScriptSerializer), **errors(*BODY_ERRORS)},
    ),
    retrieve=extend_schema(
        operation_id="get_script",
        summary="Read a script",
        description="By its id or its slug. One that is not published is for staff only.",
        parameters=[
            *_ONE,
            OpenApiParameter(
                "include", description="`logs` adds the lines of its log. Other names are ignored."
            ),
        ],
        responses={200: data_of(SeenScriptSerializer), **errors(401, 403, 404)},
    ),
    update=extend_schema(
        operation_id="replace_script",
        summary="Replace a script",
        description="For staff.",
        parameters=_ONE,
        request=StaffScriptSerializer,
        responses={200: data_of(StaffScriptSerializer), **errors(*BODY_ERRORS, 404)},
    ),
    partial_update=extend_schema(
        operation_id="update_script",
        summary="Change a script",
        description="For staff. Fields that the body does not have stay as they are.",
        parameters=_ONE,
        request=StaffScriptSerializer,
        responses={200: data_of(StaffScriptSerializer), **errors(*BODY_ERRORS, 404)},
    ),
)
@extend_schema(tags=["Scripts"])
class ScriptViewSet(viewsets.GenericViewSet[Script]):
    queryset = Script.objects.all()
    serializer_class = StaffScriptSerializer
    filter_backends = [ScriptFilterAndSort]
    lookup_value_regex = r"[-\w]+"
    permissions: dict[str, type[BasePermission]] = {
        "create": staff_may("executions.add_script"),
        "update": staff_may("executions.change_script"),
        "partial_update": staff_may("executions.change_script"),
    }

    def get_permissions(self) -> list[Any]:
        return [self.permissions.get(self.action, IsUser)()]

    def get_queryset(self) -> ScriptQuerySet:
        return Script.objects.visible_to(cast(User, self.request.user))

    def list(self, request: Request) -> Response:
        scripts = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self._serializer()(scripts, many=True).data)

    def create(self, request: Request) -> Response:
        return self._save(None, user=request.user)

    def retrieve(self, request: Request, pk: str) -> Response:
        data = self._serializer()(self._find(pk)).data
        logs: dict[str, list[Any]] = {"logs": []} if "logs" in names_in(request, "include") else {}
        return Response({"data": {**data, **logs}})

    def update(self, request: Request, pk: str) -> Response:
        return self._save(self._find(pk))

    def partial_update(self, request: Request, pk: str) -> Response:
        return self._save(self._find(pk), partial=True)

    @extend_schema(
        operation_id="run_script",
        summary="Run a script",
        description="Creates an execution of the script, PENDING, and queues it for a worker. The body is "
        "the object of its parameters; query parameters are added as strings if the body does not have them.",
        parameters=[*_ONE, *INCLUDE_PARAMETERS],
        request=OpenApiRequest(OpenApiTypes.OBJECT, examples=[OpenApiExample("example", PARAMS)]),
        responses={200: data_of(ExecutionSerializer), **errors(*BODY_ERRORS, 404, 503)},
    )
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        script = self._find(pk)
        if not script.may_be_run_by(cast(User, request.user)):
            raise PermissionDenied("Only staff with the permission executions.run_script may run scripts.")
        if not isinstance(request.data, dict):
            raise BadRequest("The parameters of a run are a JSON object.", "invalid")
        params = {**request.query_params.dict(), **request.data}
        execution = retry_briefly(script.run)(cast(User, request.user), params, source="api")
        return Response({"data": serialize_execution(execution, selected_fields(request))})

    @extend_schema(
        operation_id="get_script_log",
        summary="Read a script's log",
        description="The log of its build. Scripts are not built here, so it is always empty.",
        parameters=[*_ONE, ScriptLogQuerySerializer],
        responses={200: data_of(ScriptLogSerializer, many=True), **errors(400, 401, 403, 404)},
        filters=False,
    )
    @action(detail=True, pagination_class=None)
    def log(self, request: Request, pk: str) -> Response:
        self._find(pk)
        ScriptLogQuerySerializer(data=request.query_params).is_valid(raise_exception=True)
        return Response({"data": []})

    def _find(self, slug_or_id: str) -> Script:
        try:
            return get_object_or_404(self.get_queryset(), pk=UUID(slug_or_id))
        except ValueError:
            return get_object_or_404(self.get_queryset(), slug=slug_or_id)

    def _save(self, script: Script | None, *, partial: bool = False, **fields: object) -> Response:
        serializer = StaffScriptSerializer(script, data=self.request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        serializer.save(**fields)
        return Response({"data": serializer.data})

    def _serializer(self) -> type[ScriptSerializer]:
        sees_all = cast(User, self.request.user).may(*VIEW)
        return StaffScriptSerializer if sees_all else ScriptSerializer
