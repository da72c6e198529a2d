"""Exceptions of the domain carry their own answer; the handler knows none of them by name."""

from http import HTTPStatus

import pytest

from gef_project.common.exceptions import LedgerBusy, StatusChangeError
from gef_project.common.handlers import error_body, exception_handler
from status import exceptions
from status.exceptions import ExecutionGone, IllegalTransition
from status.states import Status


class Unheard(StatusChangeError):
    http_status = HTTPStatus.GONE
    code = "unheard"

    def members(self) -> dict[str, object]:
        return {"oldest": 7}


def test_an_exception_brings_its_status_code_and_members() -> None:
    assert error_body(Unheard("Of this one.")) == {
        "status": 410,
        "detail": "Of this one.",
        "code": "unheard",
        "oldest": 7,
    }


def test_an_illegal_transition_tells_what_is_allowed() -> None:
    body = error_body(IllegalTransition(Status.RUNNING, Status.PENDING))
    assert (body["status"], body["code"]) == (409, "illegal_move")
    assert (body["status_from"], body["status_to"]) == ("RUNNING", "PENDING")
    assert "FINISHED" in body["allowed"]


def test_a_missing_execution_is_not_told_from_a_hidden_one() -> None:
    assert "deleted" not in error_body(ExecutionGone("Execution 1 has been deleted."))["detail"]


def test_a_busy_ledger_asks_to_come_back() -> None:
    answer = exception_handler(LedgerBusy("Busy."), {})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_one_except_clause_catches_every_refusal() -> None:
    assert exceptions.LedgerBusy is LedgerBusy
    with pytest.raises(exceptions.StatusChangeError):
        raise LedgerBusy
