"""Report of many executions, and cancel many, by one request."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from executions.api import bulk
from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory

LIST = "/api/v1/execution"
CANCEL = "/api/v1/execution/cancel"


@pytest.fixture
def chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)


def report(admin: User, *reports: object) -> list[dict[str, Any]]:
    answer = client_of(admin).patch(LIST, list(reports))
    assert answer.status_code == 200
    results: list[dict[str, Any]] = answer.json()["data"]
    return results


@pytest.mark.django_db
@pytest.mark.usefixtures("chunks_of_two")
def test_each_report_has_its_own_result_in_the_same_order(execution: Execution, admin: User) -> None:
    ended, running = ExecutionFactory(status="FAILED"), ExecutionFactory(status="RUNNING")
    gone = uuid4()
    results = report(
        admin,
        {"id": str(running.pk), "status": "FINISHED", "results": {"a": [1]}},
        {"id": str(ended.pk), "status": "FINISHED"},
        {"id": str(gone), "progress": 3},
        {"id": str(execution.pk), "progress": 101},
        {"id": str(execution.pk)},
        {"id": "12", "progress": 1},
        {"progress": 1},
        "RUNNING",
        {"id": str(execution.pk), "status": "RUNNING", "progress": 5},
    )
    assert [result["status"] for result in results] == [200, 409, 404, 400, 400, 400, 400, 400, 200]
    assert [result["ok"] for result in results] == [result["status"] == 200 for result in results]
    assert results[0] == {"id": str(running.pk), "status": 200, "ok": True}
    assert [result["id"] for result in results[5:8]] == ["12", None, None]
    running.refresh_from_db()
    assert (running.status, running.results) == ("FINISHED", {"a": [1]})
    newest = StatusLog.objects.newest()
    assert (newest.execution, newest.actor, newest.source) == (execution, admin, "api")
    assert first_fault() is None


@pytest.mark.django_db
def test_a_refused_report_is_answered_and_logged_like_a_single_one(admin: User) -> None:
    alone, together = ExecutionFactory(status="CANCELLED"), ExecutionFactory(status="CANCELLED")
    body: dict[str, Any] = {"status": "RUNNING", "results": {"a": 1}}
    single = client_of(admin).patch(f"{LIST}/{alone.pk}", body)
    [result] = report(admin, {"id": str(together.pk), **body})
    assert result["error"] == single.json()
    assert together.logs.get().text == alone.logs.get().text


@pytest.mark.django_db
def test_reports_of_one_execution_are_applied_in_their_order(execution: Execution, admin: User) -> None:
    steps: list[dict[str, Any]] = [
        {"status": "RUNNING"},
        {"progress": 50},
        {"status": "FINISHED"},
        {"progress": 60},
    ]
    results = report(admin, *({"id": str(execution.pk), **step} for step in steps))
    assert [result["status"] for result in results] == [200, 200, 200, 409]


@pytest.mark.django_db
def test_an_empty_list_has_no_results(admin: User) -> None:
    assert report(admin) == []


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"status": "RUNNING"}, "RUNNING", None])
def test_a_body_that_is_not_a_list_is_refused(admin: User, body: object) -> None:
    answer = client_of(admin).patch(LIST, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.django_db
def test_a_list_with_too_many_reports_is_refused(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MAX_REPORTS", 2)
    assert len(report(admin, 1, 2)) == 2
    answer = client_of(admin).patch(LIST, [1, 2, 3])
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.fixture
def locked_execution(transactional_db: None):
    """An execution whose row another connection has locked; this connection waits for only 50 ms."""
    execution = ExecutionFactory(status="READY")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM executions_execution WHERE id = %s FOR UPDATE", [execution.pk])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    yield execution
    other.close()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("chunks_of_two")
def test_a_chunk_that_is_busy_fails_alone(locked_execution: Execution, admin: User) -> None:
    before, beside, after, last = ExecutionFactory.create_batch(4)
    results = report(
        admin,
        {"id": str(before.pk), "status": "RUNNING"},
        {"id": str(before.pk), "progress": 1},
        {"id": str(locked_execution.pk), "status": "RUNNING"},
        {"id": str(beside.pk), "status": "RUNNING"},
        {"id": str(after.pk), "status": "RUNNING"},
        {"id": str(beside.pk), "status": "FINISHED"},  # must not overtake
        {"id": str(last.pk), "status": "RUNNING"},
    )
    assert [result["status"] for result in results] == [200, 200, 503, 503, 200, 503, 200]
    assert results[2]["error"]["code"] == "busy"
    statuses = [
        Execution.objects.get(pk=one.pk).status for one in (before, locked_execution, beside, after, last)
    ]
    assert statuses == ["RUNNING", "READY", "PENDING", "RUNNING", "RUNNING"]
    assert first_fault() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("chunks_of_two")
def test_no_chunk_is_started_when_the_time_is_over(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "TIME_TO_START", 0)
    executions = ExecutionFactory.create_batch(3)
    results = report(admin, *({"id": str(one.pk), "status": "RUNNING"} for one in executions))
    assert {result["status"] for result in results} == {503}


# --- Cancelling ---------------------------------------------------------------------------------------------


def cancel(caller: User, **body: object) -> dict[str, int]:
    answer = client_of(caller).post(CANCEL, body)
    assert answer.status_code == 200
    counts: dict[str, int] = answer.json()["data"]
    return counts


@pytest.mark.django_db
def test_by_default_nothing_is_cancelled(execution: Execution, owner: User) -> None:
    answer = cancel(owner, status=["PENDING"])
    assert answer == {"dry_run": True, "matched": 1, "cancelled": 0, "remaining": 1}
    assert Execution.objects.get().status == "PENDING"


@pytest.mark.django_db
@pytest.mark.usefixtures("chunks_of_two")
def test_executions_that_meet_every_condition_are_cancelled(owner: User, admin: User) -> None:
    script = ScriptFactory(slug="chosen")
    chosen = ExecutionFactory.create_batch(5, script=script, user=owner, status="RUNNING")
    others = [
        ExecutionFactory(script=script, user=owner, status="READY"),
        ExecutionFactory(script=script, user=owner, status="FAILED"),
        ExecutionFactory(script=script, status="RUNNING"),
        ExecutionFactory(user=owner, status="RUNNING"),
        ExecutionFactory(script=script, user=owner, status="RUNNING"),
    ]
    Execution.objects.exclude(pk=others[-1].pk).update(start_date=timezone.now() - timedelta(days=2))
    before = [(one.pk, one.status) for one in others]
    answer = cancel(
        admin,
        status=["RUNNING", "PENDING"],
        script="chosen",
        user_id=str(owner.pk),
        started_before=(timezone.now() - timedelta(days=1)).isoformat(),
        dry_run=False,
    )
    assert answer == {"dry_run": False, "matched": 5, "cancelled": 5, "remaining": 0}
    cancelled = Execution.objects.filter(status="CANCELLED")
    assert {one.pk for one in cancelled} == {one.pk for one in chosen}
    assert [(one.pk, Execution.objects.get(pk=one.pk).status) for one in others] == before
    newest = StatusLog.objects.newest()
    assert (newest.status_to, newest.actor, newest.source) == ("CANCELLED", admin, "api")
    assert first_fault() is None


@pytest.mark.django_db
def test_a_script_can_be_given_by_its_id(execution: Execution, owner: User) -> None:
    assert cancel(owner, script=str(execution.script_id), dry_run=False)["cancelled"] == 1


@pytest.mark.django_db
def test_users_cancel_their_own_only(execution: Execution, stranger: User) -> None:
    own = ExecutionFactory(user=stranger)
    assert cancel(stranger, status=["PENDING", "READY", "RUNNING"], dry_run=False)["matched"] == 1
    assert cancel(stranger, user_id=str(execution.user_id), dry_run=False)["matched"] == 0
    assert [Execution.objects.get(pk=one.pk).status for one in (own, execution)] == ["CANCELLED", "PENDING"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dry_run": False}, "non_field_errors"),
        ({"status": ["PENDING"], "scirpt": "sums"}, "scirpt"),
        ({"status": ["FINISHED"]}, "status"),
        ({"status": []}, "status"),
        ({"status": "PENDING"}, "status"),
        ({"user_id": "me"}, "user_id"),
        ({"started_before": 3}, "started_before"),
        ({"status": ["PENDING"], "dry_run": "perhaps"}, "dry_run"),
    ],
)
def test_a_filter_that_is_not_clear_is_refused(
    execution: Execution, owner: User, body: dict[str, object], field: str
) -> None:
    answer = client_of(owner).post(CANCEL, body)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {field}
    assert Execution.objects.get().status == "PENDING"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("chunks_of_two")
def test_an_execution_that_is_locked_remains(locked_execution: Execution, admin: User) -> None:
    ExecutionFactory.create_batch(3)
    answer = cancel(admin, status=list(Status)[:3], dry_run=False)
    assert answer == {"dry_run": False, "matched": 4, "cancelled": 2, "remaining": 2}
    assert Execution.objects.get(pk=locked_execution.pk).status == "READY"
    assert first_fault() is None
