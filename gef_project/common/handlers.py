"""One shape for every error: ``{"status": int, "detail": text, "code": word, ...}``."""

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from .errors import CHALLENGE, ApiError, BadRequest, NotFound, Unauthorized
from .exceptions import StatusChangeError

logger = logging.getLogger(__name__)

UNEXPECTED = "The server failed; the failure has been logged."


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response:
    """Answer for any exception that a view has raised."""
    set_rollback()
    error = _as_api_exception(exception)
    if error is None:
        return _unexpected(exception, context["request"])
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(_body(error), status=error.status_code, headers=headers)


def error_body(exception: Exception) -> dict[str, Any]:
    """The answer's body for an exception that has a status of its own."""
    error = _as_api_exception(exception)
    if error is None:
        raise exception
    return _body(error)


def _as_api_exception(exception: Exception) -> exceptions.APIException | None:
    match exception:
        case exceptions.NotAuthenticated():
            return Unauthorized("Send an access token: Authorization: Bearer <token>.", "token_missing")
        case exceptions.APIException():
            return exception
        case Http404():
            return NotFound()
        case SuspiciousOperation() | UnreadablePostError():
            return BadRequest()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case StatusChangeError():
            return _of_status_change(exception)
    return None


def _of_status_change(error: StatusChangeError) -> exceptions.APIException:
    if error.http_status == HTTPStatus.NOT_FOUND:
        return NotFound()  # in the same words as for what the caller may not see
    answer = ApiError(error, error.code, **error.members())
    answer.status_code = error.http_status
    answer.wait = error.retry_after
    return answer


def _body(error: exceptions.APIException) -> dict[str, Any]:
    members: Mapping[str, Any]
    if isinstance(error, exceptions.ValidationError):
        errors = error.detail if isinstance(error.detail, Mapping) else {"non_field_errors": error.detail}
        detail, code, members = " ".join(_sentences(errors)), "invalid", {"errors": errors}
    else:
        detail, code = str(error.detail), str(error.get_codes())
        members = getattr(error, "members", {})
    return {"status": int(error.status_code), "detail": detail, "code": code, **members}


def _sentences(errors: Any, name: str = "") -> Iterator[str]:
    """The messages of a tree of messages, each one after its field's name."""
    match errors:
        case Mapping():
            for field, messages in errors.items():
                inner = name if field == "non_field_errors" else f"{name}.{field}".lstrip(".")
                yield from _sentences(messages, inner)
        case list():
            for messages in errors:
                yield from _sentences(messages, name)
        case _:
            yield f"{name}: {errors}" if name else str(errors)


def _unexpected(exception: Exception, request: HttpRequest) -> Response:
    got_request_exception.send(sender=None, request=request)
    logger.error("%s %s failed", request.method, request.path, exc_info=exception)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Response({"status": int(status), "detail": UNEXPECTED, "code": "error"}, status=status)


def is_for_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api", "/auth", "/stats", "/metrics"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``, for failures outside of the API's views."""
    if not is_for_api(request):
        return defaults.server_error(request)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return JsonResponse({"status": int(status), "detail": UNEXPECTED, "code": "error"}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler400``, for a wrong host name or a malformed header."""
    if not is_for_api(request):
        return defaults.bad_request(request, exception)
    status = HTTPStatus.BAD_REQUEST
    detail = "The request cannot be understood."
    return JsonResponse({"status": int(status), "detail": detail, "code": "bad_request"}, status=status)
