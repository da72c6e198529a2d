"""Listing, reading and cancelling executions."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.states import TERMINAL, Status

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db

LIST = "/api/v1/execution"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def ids(answer) -> list[str]:
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()["data"]]


def test_an_execution_has_these_keys(execution: Execution, owner: User) -> None:
    Execution.objects.filter(pk=execution.pk).update(start_date=datetime(2026, 1, 2, tzinfo=UTC))
    assert client_of(owner).get(f"{LIST}/{execution.pk}").json() == {
        "data": {
            "id": str(execution.pk),
            "script_id": str(execution.script_id),
            "user_id": str(owner.pk),
            "status": "PENDING",
            "progress": 0,
            "start_date": "2026-01-02T00:00:00.000000Z",
            "end_date": None,
            "params": {},
            "results": {},
            "queued_at": None,
            "dispatched_at": None,
        }
    }


def test_every_date_is_in_utc_with_six_digits(execution: Execution, owner: User) -> None:
    execution.cancel()
    data = client_of(owner).get(f"{LIST}/{execution.pk}").json()["data"]
    assert TIMESTAMP.fullmatch(data["start_date"])
    assert TIMESTAMP.fullmatch(data["end_date"])


def test_include_adds_keys(execution: Execution, owner: User, script: Script) -> None:
    line = execution.log("hello", "INFO")
    execution.cancel()
    query = {
        "include": "duration,script, script_name,user,logs,id,nonsense,user_email",
        "exclude": "params,id",
    }
    data = client_of(owner).get(f"{LIST}/{execution.pk}", query).json()["data"]
    assert data["duration"] == Execution.objects.get(pk=execution.pk).duration.total_seconds()
    assert (data["script"]["slug"], data["script_name"]) == ("sums", script.name)
    assert data["user"]["email"] == owner.email
    assert [row["id"] for row in data["logs"]] == [line.pk]
    assert {"params", "user_email", "nonsense"}.isdisjoint(data)
    assert {"id", "results"} <= set(data)


def test_staff_may_include_the_owners_name_and_email(execution: Execution, admin: User, owner: User) -> None:
    data = client_of(admin).get(f"{LIST}/{execution.pk}?include=user_name,user_email").json()["data"]
    assert (data["user_name"], data["user_email"]) == (owner.name, owner.email)


def test_a_list_costs_the_same_queries_however_long(
    owner: User, admin: User, django_assert_num_queries
) -> None:
    everything = "duration,script,script_name,user,user_name,user_email,logs"
    for count in (1, 5):
        for execution in ExecutionFactory.create_batch(count, user=owner):
            execution.log("hello", "INFO")
        with django_assert_num_queries(4):  # the caller, the total, the page, its logs
            client_of(admin).get(f"{LIST}?page=1&include={everything}")
        with django_assert_num_queries(2):
            client_of(owner).get(LIST)


def test_what_is_excluded_is_not_fetched(execution: Execution, owner: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        client_of(owner).get(LIST, {"exclude": "params,results"})
    assert not any('"results"' in query["sql"] for query in queries)


def test_open_ones_come_first_then_the_newest_end(owner: User) -> None:
    first, second, third, fourth = ExecutionFactory.create_batch(4, user=owner)
    third.cancel()
    first.cancel()
    expected = [str(execution.pk) for execution in (fourth, second, first, third)]
    assert ids(client_of(owner).get(LIST)) == expected


def test_ties_have_one_order_on_all_pages(owner: User) -> None:
    executions = ExecutionFactory.create_batch(7, user=owner)
    Execution.objects.update(start_date=timezone.now())
    seen = []
    for page in range(1, 5):
        seen += ids(client_of(owner).get(LIST, {"page": page, "per_page": 2}))
    assert sorted(seen) == sorted(str(execution.pk) for execution in executions)


@pytest.mark.parametrize(
    ("query", "page", "per_page", "rows"),
    [
        ("page=1", 1, 20, 3),
        ("per_page=2", 1, 2, 2),
        ("page=2&per_page=2", 2, 2, 1),
        ("page=99&per_page=2", 99, 2, 0),
        ("page=0&per_page=-5", 1, 1, 1),
        ("per_page=1000", 1, 100, 3),
        (f"page={10**30}", 10**30, 20, 0),
    ],
)
def test_a_page_has_an_envelope(owner: User, query: str, page: int, per_page: int, rows: int) -> None:
    ExecutionFactory.create_batch(3, user=owner)
    body = client_of(owner).get(f"{LIST}?{query}").json()
    assert len(body.pop("data")) == rows
    assert body == {"page": page, "per_page": per_page, "total": 3}


def test_without_a_page_all_come_and_nothing_else(owner: User) -> None:
    ExecutionFactory.create_batch(21, user=owner)
    body = client_of(owner).get(LIST).json()
    assert set(body) == {"data"}
    assert len(body["data"]) == 21


def test_a_page_that_is_no_number_is_refused(owner: User) -> None:
    answer = client_of(owner).get(LIST, {"page": "two"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_users_see_their_own_whatever_they_ask_for(execution: Execution, owner: User, stranger: User) -> None:
    theirs = ExecutionFactory(user=stranger)
    assert ids(client_of(owner).get(LIST)) == [str(execution.pk)]
    assert ids(client_of(owner).get(f"{LIST}?user_id={stranger.pk}")) == [str(execution.pk)]
    assert client_of(owner).get(f"{LIST}/{theirs.pk}").status_code == 404


def test_staff_see_all_and_can_ask_for_one_users(execution: Execution, admin: User, stranger: User) -> None:
    theirs = ExecutionFactory(user=stranger)
    own = ExecutionFactory(user=admin)
    everything = {str(one.pk) for one in (execution, theirs, own)}
    assert set(ids(client_of(admin).get(LIST))) == everything
    assert ids(client_of(admin).get(f"{LIST}?user_id={stranger.pk}")) == [str(theirs.pk)]
    assert ids(client_of(admin).get(f"{LIST}/user")) == [str(own.pk)]


def test_the_list_can_be_filtered(execution: Execution, owner: User) -> None:
    other = ExecutionFactory(user=owner, status=Status.RUNNING)
    Execution.objects.filter(pk=other.pk).update(start_date=timezone.now() - timedelta(days=3))
    today = timezone.now().date()
    client = client_of(owner)
    assert ids(client.get(LIST, {"status": "running"})) == [str(other.pk)]
    assert ids(client.get(f"{LIST}?script_id={execution.script_id}")) == [str(execution.pk)]
    assert ids(client.get(LIST, {"updated_at": today.isoformat()})) == [str(execution.pk)]
    assert ids(client.get(f"{LIST}?updated_at={today}T00:00:00 00:00")) == [str(execution.pk)]
    assert len(ids(client.get(LIST, {"updated_at": "0001-01-01", "colour": "red", "status": ""}))) == 2


@pytest.mark.parametrize(
    "query",
    [
        "status=SUBMITTED",
        "script_id=1",
        "updated_at=yesterday",
        "updated_at=9999-12-31T23:59-12:00",
        "status=%00",
    ],
)
def test_a_parameter_that_cannot_be_read_is_refused(owner: User, query: str) -> None:
    answer = client_of(owner).get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {query.partition("=")[0]}


@pytest.mark.parametrize(
    ("status", "queued"), [(Status.PENDING, False), (Status.READY, True), (Status.RUNNING, True)]
)
def test_an_owner_cancels(owner: User, status: Status, queued: bool) -> None:
    execution = ExecutionFactory(user=owner, status=status)
    answer = client_of(owner).post(f"{LIST}/{execution.pk}/cancel")
    assert answer.status_code == 202
    data = answer.json()["data"]
    assert data["execution"]["status"] == "CANCELLED"
    assert TIMESTAMP.fullmatch(data["execution"]["end_date"])
    assert data["cancellation_details"] == {
        "execution_id": str(execution.pk),
        "previous_status": status,
        "new_status": "CANCELLED",
        "queued": queued,
        "task_id": None,
        "errors": [],
    }
    newest = StatusLog.objects.newest()
    assert (newest.status_to, newest.actor, newest.source) == ("CANCELLED", owner, "api")


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_what_has_ended_cannot_be_cancelled(owner: User, status: Status) -> None:
    execution = ExecutionFactory(user=owner, status=status)
    answer = client_of(owner).post(f"{LIST}/{execution.pk}/cancel", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "has_ended")
    assert status in answer.json()["detail"]


@pytest.mark.parametrize("path", ["", "/user", "/{}", "/{}/log"])
def test_a_slash_at_the_end_changes_nothing(execution: Execution, owner: User, path: str) -> None:
    path = LIST + path.format(execution.pk)
    bare, slashed = client_of(owner).get(path), client_of(owner).get(path + "/")
    assert bare.status_code == slashed.status_code == 200
    assert bare.json() == slashed.json()


def test_a_body_sent_to_a_slashed_path_arrives(execution: Execution) -> None:
    answer = client_of(execution).patch(f"{LIST}/{execution.pk}/", {"progress": 7})
    assert answer.json()["data"]["progress"] == 7
