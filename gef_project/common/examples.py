"""Examples for the OpenAPI schema, all about the same user, script and execution."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework.serializers import BaseSerializer

EXECUTION_ID = "0b6e3c9a-6a0f-4f39-9d6f-0a54c1f3f2ab"
SCRIPT_ID = "5d0c1f86-2f0e-4b8a-8a44-b51a6bd2a3f7"
USER_ID = "c2a9a9d5-54a6-4d7d-bb37-3f6f1f0d6c11"


def _error(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    return {"status": status, "detail": detail, "code": code, **members}


ERRORS = {
    400: _error(
        400,
        "invalid",
        "progress: Must be a number from 0 to 100.",
        errors={"progress": ["Must be a number from 0 to 100."]},
    ),
    401: _error(401, "token_expired", "The access token has expired.", error="token_expired"),
    403: _error(403, "permission_denied", "Only staff may do this."),
    404: _error(404, "not_found", "There is no such thing, or it is not yours."),
    409: _error(
        409,
        "illegal_move",
        "An execution cannot go from CANCELLED to FINISHED; "
        "from CANCELLED it can go to nothing: it has ended.",
        status_from="CANCELLED",
        status_to="FINISHED",
        allowed=[],
    ),
    410: _error(410, "gone", "The rows up to 4711 are no longer kept.", oldest=4712),
    413: _error(413, "too_large", "A body may have 52428800 bytes."),
    415: _error(415, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
    429: _error(429, "too_many_attempts", "Logging in has failed too often. Try again in 30 s."),
    503: _error(503, "busy", "The status ledger is busy; try again."),
}

# Examples of parameters whose schema has neither a default nor a list of values.
_PARAMETERS = {
    "id": EXECUTION_ID,
    "script_id": SCRIPT_ID,
    "user_id": USER_ID,
    "include": "duration,script_name",
    "exclude": "params,results",
    "page": 1,
    "per_page": 20,
    "last-id": 1200,
    "rotate": False,
    "execution_id": EXECUTION_ID,
    "source": "worker",
    "actor": USER_ID,
    "tz": "UTC",
    "after": 4711,
    "wait": 30,
    "Last-Event-ID": 4711,
    "If-None-Match": '"4711"',
} | dict.fromkeys(
    ("start", "start_date", "end_date", "updated_at", "date_from", "date_to"), "2026-01-31T00:00:00+00:00"
)

SerializerT = TypeVar("SerializerT", bound=type[BaseSerializer])


def example(value: Any, *, request: Any = None) -> Callable[[SerializerT], SerializerT]:
    """Show an answer of the serializer and, where it differs, a request."""
    shown = [OpenApiExample("example", value, response_only=request is not None)]
    if request is not None:
        shown.append(OpenApiExample("request", request, request_only=True))
    return extend_schema_serializer(examples=shown)


def with_requests_explained(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A hook of drf-spectacular that adds the parameters' examples, and marks required bodies."""
    components = result["components"]["schemas"]
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if "example" not in parameter:
                    parameter["example"] = _of_parameter(parameter, path)
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True  # the same as none
            for content in operation.get("requestBody", {}).get("content", {}).values():
                component = components.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                if "allOf" in component:  # one property at least
                    operation["requestBody"]["required"] = True
    return result


def _of_parameter(parameter: dict[str, Any], path: str) -> Any:
    name, schema = parameter["name"], parameter["schema"]
    if name == "id" and "/script/" in path:
        return SCRIPT_ID
    if "default" in schema:
        return schema["default"]
    return next(iter(schema.get("enum", [])), None) or _PARAMETERS[name]
