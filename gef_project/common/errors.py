"""Errors that views raise as HTTP answers; ``handlers.py`` writes their bodies."""

import math
from datetime import timedelta
from http import HTTPStatus

from rest_framework import exceptions

# The WWW-Authenticate header of a 401 answer.
CHALLENGE = 'Bearer realm="api"'


class ApiError(exceptions.APIException):
    """An error with members of its own beside the common ones."""

    wait: int | None = None  # seconds; sent as Retry-After

    def __init__(self, detail: object = None, code: str | None = None, **members: object) -> None:
        super().__init__(str(detail) if detail is not None else None, code)
        self.members = members


class BadRequest(ApiError):
    status_code = HTTPStatus.BAD_REQUEST
    default_code = "bad_request"
    default_detail = "The request cannot be understood."


class Unauthorized(ApiError):
    """No token, or an invalid one; clients tell by ``error`` whether to refresh it."""

    status_code = HTTPStatus.UNAUTHORIZED
    default_code = "token_invalid"

    def __init__(self, detail: object = None, code: str | None = None, **members: object) -> None:
        super().__init__(detail, code, error=code or self.default_code, **members)


class NotFound(ApiError):
    status_code = HTTPStatus.NOT_FOUND
    default_code = "not_found"
    default_detail = "There is no such thing, or it is not yours."


class Gone(ApiError):
    status_code = HTTPStatus.GONE
    default_code = "gone"


class TooLarge(ApiError):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class TooManyAttempts(ApiError):
    status_code = HTTPStatus.TOO_MANY_REQUESTS
    default_code = "too_many_attempts"

    def __init__(self, wait: timedelta) -> None:
        self.wait = math.ceil(wait.total_seconds())
        text = f"Logging in has failed too often. Try again in {self.wait} s."
        super().__init__(text, msg=text, message=text)
