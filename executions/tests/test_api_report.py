"""PATCH: what a run, or the worker for it, reports of an execution."""

import json

import pytest
from rest_framework.test import APIClient

from executions.credentials import password, user_name
from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.states import TERMINAL, Status

pytestmark = pytest.mark.django_db

RESULTS = {"z": [1.5, None, True, "\x00", "\ud800", "é"], "a": {"big": 2**70}}


def report(execution: Execution, **fields: object):
    return client_of(execution).patch(f"/api/v1/execution/{execution.pk}", fields)


def stored(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def test_the_credential_logs_in_and_reports(api: APIClient, execution: Execution) -> None:
    login = {"email": user_name(execution.pk), "password": password(execution.pk)}
    token = api.post("/auth", login).json()["access_token"]
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    answer = api.patch(f"/api/v1/execution/{execution.pk}", {"status": "RUNNING"})
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "RUNNING"
    newest = StatusLog.objects.newest()
    assert (newest.status_to, newest.source, newest.actor) == ("RUNNING", "worker", None)


def test_a_report_of_staff_says_who_made_it(execution: Execution, admin: User) -> None:
    client_of(admin).patch(f"/api/v1/execution/{execution.pk}", {"status": "READY"})
    newest = StatusLog.objects.newest()
    assert (newest.actor, newest.source) == (admin, "api")


def test_results_and_status_are_stored_together_and_verbatim(execution: Execution) -> None:
    answer = report(execution, status="FINISHED", results=RESULTS)
    assert answer.json()["data"]["results"] == RESULTS
    assert answer.json()["data"]["progress"] == 100
    assert (stored(execution).status, stored(execution).results) == ("FINISHED", RESULTS)


DEEP: list[object] = []
for _ in range(198):
    DEEP = [DEEP]


@pytest.mark.parametrize("results", [[], 0, False, "", "text", [1, {"a": None}], DEEP])
def test_results_may_be_any_json(execution: Execution, results: object) -> None:
    report(execution, results=results)
    assert stored(execution).results == results


def test_results_of_null_are_none(execution: Execution) -> None:
    assert report(execution, status="FINISHED", results=None).json()["data"]["results"] == {}


@pytest.mark.parametrize(("sent", "kept"), [(0, 0), (12, 12), (99.9, 99), (100, 100)])
def test_progress_is_a_whole_percentage(execution: Execution, sent: float, kept: int) -> None:
    assert report(execution, progress=sent).json()["data"]["progress"] == kept
    assert stored(execution).progress == kept


@pytest.mark.parametrize("progress", ["12", True, None, -1, 100.5, [1]])
def test_progress_that_is_no_percentage_is_refused(execution: Execution, progress: object) -> None:
    answer = report(execution, progress=progress, status="RUNNING")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"progress"}
    assert stored(execution).status == "PENDING"


@pytest.mark.parametrize("status", ["PENDING", "running", "SUBMITTED", "", None, 3])
def test_a_status_that_cannot_be_reported_is_refused(execution: Execution, status: object) -> None:
    answer = report(execution, status=status)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"status"}


def test_an_empty_report_is_refused(execution: Execution) -> None:
    answer = report(execution, colour="red")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Give a status, progress or results."


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("again", [{}, {"progress": 100}, {"results": RESULTS}])
def test_the_report_of_the_end_may_come_twice(
    execution: Execution, status: Status, again: dict[str, object]
) -> None:
    report(execution, status=status, results=RESULTS)
    before = stored(execution)
    answer = report(execution, status=status, **again)
    assert answer.status_code == 200
    assert answer.json()["data"]["end_date"] == f"{before.end_date:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert stored(execution).end_date == before.end_date
    assert not execution.logs.exists()
    assert execution.status_logs.count() == 2


@pytest.mark.parametrize("late", [{"results": {"a": 2}}, {"progress": 7}])
def test_another_report_of_the_same_end_is_refused_and_logged(
    execution: Execution, late: dict[str, object]
) -> None:
    report(execution, status="FINISHED", results=RESULTS)
    answer = report(execution, status="FINISHED", **late)
    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["status_from"], body["status_to"]) == (
        "report_too_late",
        "FINISHED",
        "FINISHED",
    )
    assert json.dumps(late)[1:-1] in execution.logs.get().text
    assert stored(execution).results == RESULTS


@pytest.mark.parametrize(
    ("first", "again", "status_code"),
    [
        ({"ok": True}, {"ok": 1}, 409),
        ([0], [False], 409),
        ({"n": 1}, {"n": 1.0}, 200),
        ({"a": [1, {"b": None}], "c": ""}, {"c": "", "a": [1, {"b": None}]}, 200),
        ({"a": 1}, {"a": 1, "b": 2}, 409),
    ],
)
def test_results_are_compared_as_json(
    execution: Execution, first: object, again: object, status_code: int
) -> None:
    report(execution, status="FINISHED", results=first)
    assert report(execution, status="FINISHED", results=again).status_code == status_code
    assert stored(execution).results == first


def test_progress_after_the_end_is_refused_and_logged(execution: Execution) -> None:
    execution.cancel()
    answer = report(execution, progress=100)
    assert answer.status_code == 409
    assert (answer.json()["status_from"], answer.json()["status_to"]) == ("CANCELLED", None)
    line = execution.logs.get()
    assert line.level == "WARNING"
    assert '"progress": 100' in line.text


def test_an_illegal_transition_is_refused_and_logged(execution: Execution) -> None:
    execution.cancel()
    answer = report(execution, status="FINISHED", results=RESULTS)
    assert answer.status_code == 409
    assert answer.json() == {
        "status": 409,
        "code": "illegal_move",
        "detail": answer.json()["detail"],
        "status_from": "CANCELLED",
        "status_to": "FINISHED",
        "allowed": [],
    }
    assert json.dumps(RESULTS) in execution.logs.get().text
    assert (stored(execution).status, stored(execution).results) == ("CANCELLED", {})


def test_late_results_of_megabytes_are_kept(execution: Execution) -> None:
    execution.cancel()
    results = ["x" * 1000] * 3000
    assert report(execution, results=results).status_code == 409
    assert json.dumps(results) in execution.logs.get().text


def test_a_report_names_what_is_allowed(execution: Execution, admin: User) -> None:
    execution.update_status("RUNNING")
    execution.update_status("FAILED")
    answer = client_of(admin).patch(f"/api/v1/execution/{execution.pk}", {"status": "READY"})
    assert answer.json()["allowed"] == []
    assert "it has ended" in answer.json()["detail"]
