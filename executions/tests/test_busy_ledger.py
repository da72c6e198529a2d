"""A transaction elsewhere hangs: whoever needs what it holds is told so in bounded time, or goes on later."""

from threading import Timer
from typing import Any

import pytest
from django.db import connections

from executions import runner
from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.exceptions import LedgerBusy
from status.states import Status
from status.tests.concurrency import uncommitted
from status.verification import first_fault

from .change_cases import (
    CHANGES,
    Change,
    claim,
    delete,
    delete_by_cascade,
    end,
    stored_rows,
    transition,
    transition_many,
)
from .factories import ExecutionFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("short_lock_timeout")]


@pytest.fixture
def other() -> Execution:
    """Nothing but the ledger stands between this one and ``execution``."""
    return ExecutionFactory()


@pytest.mark.parametrize("change", [change for change in CHANGES if change is not delete_by_cascade])
def test_the_ledger_is_busy(change: Change, execution: Execution, other: Execution) -> None:
    before = stored_rows()
    with uncommitted(lambda: other.update_status(Status.RUNNING)), pytest.raises(LedgerBusy):
        change(execution)
    assert stored_rows() == before
    assert first_fault() is None


@pytest.mark.parametrize("change", [transition, end, transition_many, claim, delete])
def test_the_row_is_busy(change: Change, execution: Execution) -> None:
    before = stored_rows()
    with (
        uncommitted(lambda: Execution.objects.filter(pk=execution.pk).update(progress=1)),
        pytest.raises(LedgerBusy),
    ):
        change(execution)
    assert stored_rows() == before


def requests(execution: Execution) -> list[Any]:
    run, owner = client_of(execution), client_of(execution.user)
    return [
        run.patch(f"/api/v1/execution/{execution.pk}", {"status": "RUNNING"}),
        owner.post(f"/api/v1/execution/{execution.pk}/cancel"),
        owner.post(f"/api/v1/script/{execution.script_id}/run"),
    ]


def test_the_api_says_when_to_come_back(execution: Execution, other: Execution) -> None:
    before = stored_rows()
    with uncommitted(lambda: other.update_status(Status.RUNNING)):
        answers = requests(execution)
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert int(answer["Retry-After"]) > 0
    assert stored_rows() == before


def test_the_api_waits_for_a_moment(execution: Execution, other: Execution) -> None:
    with uncommitted(lambda: other.update_status(Status.RUNNING)) as over:
        Timer(0.05, over).start()
        assert [answer.status_code for answer in requests(execution)] == [200, 202, 200]


def test_the_log_of_an_execution_that_is_being_deleted_is_busy(execution: Execution, owner: User) -> None:
    with uncommitted(lambda: Execution.objects.get(pk=execution.pk).delete()):
        answer = client_of(execution).post(
            f"/api/v1/execution/{execution.pk}/log", {"text": "here", "level": "INFO"}
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_a_request_that_is_one_transaction_is_told_at_once(
    execution: Execution, other: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    with uncommitted(lambda: other.update_status(Status.RUNNING)):
        assert [answer.status_code for answer in requests(execution)] == [503, 503, 503]
    assert [answer.status_code for answer in requests(execution)] == [200, 202, 200]


def test_a_worker_is_patient(execution: Execution, other: Execution) -> None:
    with uncommitted(lambda: other.update_status(Status.RUNNING)) as over:
        Timer(0.3, over).start()
        runner.run(execution, worker="patient")
    assert Execution.objects.get(pk=execution.pk).status == Status.FINISHED
    assert first_fault() is None
