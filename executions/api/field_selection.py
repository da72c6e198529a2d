"""The parameters ``include`` and ``exclude``: which keys of an execution a response has."""

from functools import lru_cache
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from executions.models import Execution, ExecutionQuerySet
from executions.models.queryset import VIEW
from gef_project.accounts.authentication import Caller

from .serializers import ExecutionSerializer

EXCLUDABLE = frozenset({"params", "results"})
FOR_STAFF = frozenset({"user_name", "user_email"})
INCLUDABLE = frozenset({"duration", "script", "script_name", "user", "logs"}) | FOR_STAFF
_ALWAYS = frozenset(ExecutionSerializer.Meta.fields) - INCLUDABLE

INCLUDE_PARAMETERS = [
    OpenApiParameter(
        "include",
        description=f"Comma-separated: {', '.join(sorted(INCLUDABLE))}."
        f" {' and '.join(sorted(FOR_STAFF))} are for staff. Other names are ignored.",
    ),
    OpenApiParameter("exclude", description=f"Comma-separated: {', '.join(sorted(EXCLUDABLE))}."),
]


def selected_fields(request: Request) -> frozenset[str]:
    """The keys that the request asks for; names that are unknown or not for this caller are ignored."""
    includable = INCLUDABLE if cast(Caller, request.user).may(*VIEW) else INCLUDABLE - FOR_STAFF
    included = includable & names_in(request, "include")
    excluded = EXCLUDABLE & names_in(request, "exclude")
    return (_ALWAYS | included) - excluded


def names_in(request: Request, parameter: str) -> set[str]:
    """The names in a query parameter, which are separated by commas."""
    return {name.strip() for name in request.query_params.get(parameter, "").split(",")}


def fetch_selected(executions: ExecutionQuerySet, fields: frozenset[str]) -> ExecutionQuerySet:
    """Fetch what these fields need together with the executions, and defer what they do not need."""
    executions = executions.defer(*(EXCLUDABLE - fields))
    if fields & {"script", "script_name"}:
        executions = executions.select_related("script")
    if fields & {"user", "user_name", "user_email"}:
        executions = executions.select_related("user")
    return executions.prefetch_related("logs") if "logs" in fields else executions


@lru_cache(64)
def _serializer_of(fields: frozenset[str]) -> ExecutionSerializer:
    """Cached, since making the fields takes longer than serializing an execution. It has no state."""
    return ExecutionSerializer(context={"fields": fields})


def serialize_execution(execution: Execution, fields: frozenset[str]) -> dict[str, Any]:
    """The execution with these keys, as clients get it."""
    return _serializer_of(fields).to_representation(execution)
