"""Exceptions of the domain: each one carries the HTTP status, code and members of the API's answer."""

from http import HTTPStatus
from typing import Any


class StatusChangeError(Exception):
    """A change of status that was not made; nothing of it has been stored.

    The apps derive theirs from it. It is here, and not in ``status``, because code that any app uses for
    locks raises one of them.
    """

    http_status: HTTPStatus = HTTPStatus.CONFLICT
    code = "conflict"
    retry_after: int | None = None  # seconds; sent as Retry-After

    def members(self) -> dict[str, Any]:
        """What the error's body has besides ``status``, ``detail`` and ``code``."""
        return {}


class LedgerBusy(StatusChangeError):
    """Another transaction holds the row or the ledger for too long. Trying again may help."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "busy"
    retry_after = 2
