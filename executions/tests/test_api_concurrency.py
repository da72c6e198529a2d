"""Requests at the same time: equal reports, different ends, a deleted execution."""

import pytest

from executions.models import Execution
from gef_project.accounts.tests.clients import client_of
from status.exceptions import ExecutionGone
from status.models import StatusLog
from status.tests.concurrency import race
from status.verification import first_fault

pytestmark = pytest.mark.django_db(transaction=True)


def test_six_identical_reports_of_the_end_leave_one_row(execution: Execution) -> None:
    body = {"status": "FINISHED", "results": {"a": [1, 2]}}
    answers = race(
        6, lambda _: client_of(execution).patch(f"/api/v1/execution/{execution.pk}", body).status_code
    )
    assert answers == [200] * 6
    assert StatusLog.objects.filter(execution=execution, status_to="FINISHED").count() == 1
    assert not execution.logs.exists()
    assert first_fault() is None


def test_of_different_ends_one_is_stored_and_the_others_are_kept(execution: Execution) -> None:
    def report(number: int) -> int:
        body = {"status": "FINISHED", "results": number}
        return client_of(execution).patch(f"/api/v1/execution/{execution.pk}", body).status_code

    answers = race(4, report)
    assert sorted(answers) == [200, 409, 409, 409]
    assert execution.logs.count() == 3
    assert Execution.objects.get(pk=execution.pk).results == answers.index(200)


def test_a_line_for_an_execution_that_is_gone_is_refused(execution: Execution) -> None:
    Execution.objects.get(pk=execution.pk).delete()
    with pytest.raises(ExecutionGone):
        execution.log("too late", "INFO")


def test_a_report_of_an_execution_that_is_gone_is_refused(execution: Execution) -> None:
    Execution.objects.get(pk=execution.pk).delete()
    with pytest.raises(ExecutionGone):
        execution.accept_report(progress=3)
    with pytest.raises(ExecutionGone):
        execution.accept_report("RUNNING")
