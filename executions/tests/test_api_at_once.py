"""Requests that meet: the same report at once, a ledger that is busy, an execution that goes away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.exceptions import ExecutionGone
from status.models import StatusLog
from status.triggers import LEDGER_LOCK
from status.verification import first_fault

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    def in_thread(number: int) -> Any:
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(in_thread, range(count)))


@pytest.fixture
def busy_ledger(execution: Execution):
    """Another connection holds the ledger's lock, and this one does not wait for long."""
    other = connections.create_connection("default")
    other.settings_dict["NAME"] = connection.settings_dict["NAME"]
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LEDGER_LOCK])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    yield
    other.close()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


def test_six_identical_reports_of_the_end_leave_one_row(execution: Execution) -> None:
    body = {"status": "FINISHED", "results": {"a": [1, 2]}}
    answers = at_once(
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

    answers = at_once(4, report)
    assert sorted(answers) == [200, 409, 409, 409]
    assert execution.logs.count() == 3
    assert Execution.objects.get(pk=execution.pk).results == answers.index(200)


@pytest.mark.usefixtures("busy_ledger")
def test_a_busy_ledger_answers_503_and_when_to_come_back(execution: Execution, owner: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        report = client_of(execution).patch(f"/api/v1/execution/{execution.pk}", {"status": "RUNNING"})
    assert sum('INSERT INTO "status_log"' in query["sql"] for query in queries) == 4  # patiently
    calls = [
        report,
        client_of(owner).post(f"/api/v1/execution/{execution.pk}/cancel"),
        client_of(owner).post(f"/api/v1/script/{execution.script_id}/run"),
    ]
    for answer in calls:
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert int(answer["Retry-After"]) > 0
    assert Execution.objects.get().status == "PENDING"


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
