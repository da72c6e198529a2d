"""Parts of the OpenAPI schema that operations share."""

from functools import cache
from typing import Any

from drf_spectacular.drainage import get_override
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers

from .examples import ERRORS


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gef_project.accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ConstrainedSerializer(serializers.Serializer):
    """A serializer whose schema has ``constraints`` beyond those of its fields."""

    constraints: dict[str, Any] = {}


def one_at_least(*names: str) -> dict[str, Any]:
    # Inside of an allOf, since client generators take an anyOf beside properties for a union of types.
    return {"allOf": [{"anyOf": [{"required": [name]} for name in names]}]}


class ConstrainedSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = ConstrainedSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, **self.target.constraints}


class ErrorSerializer(serializers.Serializer):
    """Every error has the first three; some codes have others too."""

    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="A sentence for a person.")
    code = serializers.CharField(help_text="A word for a program.")
    errors = serializers.DictField(  # type: ignore[assignment]  # the metaclass takes it off the class
        required=False, help_text="400 `invalid`: each field or parameter, and what is wrong with it."
    )
    position = serializers.IntegerField(
        required=False,
        help_text="400 of `filter` and `sort`: which character, from 1 on, was not understood.",
    )
    error = serializers.CharField(required=False, help_text="401: the code once more.")
    msg = serializers.CharField(required=False, help_text="401 and 429 at `/auth`: the detail once more.")
    message = serializers.CharField(required=False, help_text="401 and 429 at `/auth`: the detail once more.")
    status_from = serializers.CharField(required=False, help_text="409: the execution's status.")
    status_to = serializers.CharField(
        required=False, allow_null=True, help_text="409: the status that was reported; null if none was."
    )
    allowed = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="409: the statuses that it may go to."
    )
    oldest = serializers.IntegerField(required=False, help_text="410: the id of the oldest row that is kept.")
    newest = serializers.IntegerField(required=False, help_text="400 `not_yet`: the id of the newest row.")


_MEANINGS = {
    400: "The body or a parameter cannot be used; `errors` says what is wrong with which.",
    401: "No token, or one that is invalid (`token_invalid`), expired or revoked.",
    403: "Not for this caller.",
    404: "There is no such thing, or this caller may not know of it.",
    409: "The execution cannot go from its status to the reported one.",
    410: "Rows that were asked for are no longer kept; `oldest` is the id of the oldest one that is.",
    413: "The body is too large, if need be after it has been inflated.",
    415: "The body is not `application/json`.",
    429: "Too many attempts have failed: try again after `Retry-After` seconds.",
    503: "The ledger is busy: try again after `Retry-After` seconds.",
}


def errors(*statuses: int, **meanings: str) -> dict[int, OpenApiResponse]:
    """Responses for these statuses; ``e400="..."`` gives one a meaning of its own."""
    return {
        status: OpenApiResponse(
            ErrorSerializer,
            meanings.get(f"e{status}", _MEANINGS[status]),
            [OpenApiExample(ERRORS[status]["code"], ERRORS[status])],
        )
        for status in statuses
    }


BODY_ERRORS = (400, 401, 403, 413, 415)


@cache
def data_of(serializer: type[serializers.BaseSerializer], *, many: bool = False) -> Any:
    """``{"data": ...}``, the envelope of almost every answer."""
    name = serializer.__name__.removesuffix("Serializer") + ("List" if many else "")
    wrapped = type(f"{name}DataSerializer", (serializers.Serializer,), {"data": serializer(many=many)})
    shown = next(iter(get_override(serializer, "examples", [])), None)
    if shown is None:
        return wrapped
    value = {"data": [shown.value] if many else shown.value}
    in_answers = OpenApiExample("example", value, response_only=True, status_codes=["200", "202"])
    return extend_schema_serializer(examples=[in_answers])(wrapped)


def query_parameter(name: str, description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A parameter as a plain dictionary; a string unless the schema says otherwise."""
    return {"name": name, "in": "query", "description": description, "schema": schema or {"type": "string"}}


def without_trailing_slash(endpoints: list[tuple[str, ...]], **kwargs: Any) -> list[tuple[str, ...]]:
    """The paths as clients write them; the slash at the end is optional."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]
