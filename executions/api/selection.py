"""Which keys of an execution a request asks for, by ``include`` and ``exclude``."""

from typing import cast

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from executions.models import ExecutionQuerySet
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
    """Names that are not known, or not for this caller, are ignored."""
    includable = INCLUDABLE if cast(Caller, request.user).may(*VIEW) else INCLUDABLE - FOR_STAFF
    included = includable & names_in(request, "include")
    excluded = EXCLUDABLE & names_in(request, "exclude")
    return (_ALWAYS | included) - excluded


def names_in(request: Request, parameter: str) -> set[str]:
    """What a query parameter lists, with commas between."""
    return {name.strip() for name in request.query_params.get(parameter, "").split(",")}


def fetching(executions: ExecutionQuerySet, fields: frozenset[str]) -> ExecutionQuerySet:
    """Have what these fields need fetched with the executions, and nothing that they do not need."""
    executions = executions.defer(*(EXCLUDABLE - fields))
    if fields & {"script", "script_name"}:
        executions = executions.select_related("script")
    if fields & {"user", "user_name", "user_email"}:
        executions = executions.select_related("user")
    return executions.prefetch_related("logs") if "logs" in fields else executions
