"""The errors of changing a status."""

from http import HTTPStatus
from typing import Any

from gef_project.common.exceptions import LedgerBusy, StatusChangeError

from .states import TRANSITIONS, Status, in_order

__all__ = [
    "ExecutionGone",
    "IllegalTransition",
    "LedgerBusy",
    "ReportTooLate",
    "StatusChangeError",
    "UnknownStatus",
]


class UnknownStatus(StatusChangeError, ValueError):
    """The word is not a status."""

    http_status = HTTPStatus.BAD_REQUEST
    code = "unknown_status"

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} is not a status; known are {', '.join(Status)}.")


class IllegalTransition(StatusChangeError):
    """An execution cannot go from ``status_from`` to ``status_to``, only to one of ``allowed``."""

    code = "illegal_move"

    def __init__(self, status_from: Status, status_to: Status) -> None:
        self.status_from = status_from
        self.status_to = status_to
        self.allowed = in_order(TRANSITIONS[status_from])
        allowed = " or ".join(self.allowed) or "nothing: it has ended"
        super().__init__(
            f"An execution cannot go from {status_from} to {status_to}; "
            f"from {status_from} it can go to {allowed}."
        )

    def members(self) -> dict[str, Any]:
        return {"status_from": self.status_from, "status_to": self.status_to, "allowed": self.allowed}


class ReportTooLate(StatusChangeError):
    """The execution has ended, and the report says something else than what was stored.

    ``status_to`` is the status that was reported, if any.
    """

    code = "report_too_late"

    def __init__(self, status_from: Status, status_to: Status | None) -> None:
        self.status_from = status_from
        self.status_to = status_to
        super().__init__(f"The execution has ended as {status_from}; what it reports now is only logged.")

    def members(self) -> dict[str, Any]:
        return {"status_from": self.status_from, "status_to": self.status_to, "allowed": []}


class ExecutionGone(StatusChangeError):
    """The execution has been deleted."""

    http_status = HTTPStatus.NOT_FOUND
    code = "not_found"
