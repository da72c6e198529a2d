"""Filters of the list, and the limits of their cost."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status import queries
from status.models import StatusLog
from status.states import Status

from .ledger_builders import execute_without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def history(execution: Execution, admin: User) -> None:
    """Two executions, of which one is deleted in the end."""
    other = ExecutionFactory()
    execution.update_status(Status.READY, source="worker")
    other.update_status(Status.READY, source="worker")
    execution.update_status(Status.RUNNING, source="worker")
    other.cancel(actor=admin, source="admin")
    other.delete()


def ask(admin: User, **query: Any) -> Any:
    answer = client_of(admin).get("/api/v1/status", query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def transitions(body: Any) -> list[tuple[str | None, str | None]]:
    return [(row["status_from"], row["status_to"]) for row in body["data"]]


def test_the_rows_of_one_execution(admin: User, execution: Execution) -> None:
    body = ask(admin, execution_id=execution.pk)
    assert transitions(body) == [("READY", "RUNNING"), ("PENDING", "READY"), (None, "PENDING")]
    assert (body["total"], body["examined_until"]) == (3, None)
    oldest_first = ask(admin, execution_id=execution.pk, sort="timestamp", per_page=2, page=2)
    assert transitions(oldest_first) == [("READY", "RUNNING")]
    assert ask(admin, execution_id=uuid4())["total"] == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status_to": "READY"}, [("PENDING", "READY")] * 2),
        ({"status_from": "READY"}, [("READY", "CANCELLED"), ("READY", "RUNNING")]),
        ({"status_from": "READY", "status_to": "RUNNING"}, [("READY", "RUNNING")]),
        ({"status_to": "none"}, [("CANCELLED", None), (None, None)]),
        ({"status_from": "none", "status_to": "PENDING"}, [(None, "PENDING")] * 2),
        ({"source": "admin"}, [("READY", "CANCELLED")]),
        ({"source": "Admin"}, []),
    ],
)
def test_rows_that_a_filter_lets_through(
    admin: User, query: dict[str, str], found: list[tuple[str | None, str | None]]
) -> None:
    body = ask(admin, **query)
    assert transitions(body) == found
    assert body["total"] == len(found)


def test_what_a_user_did(admin: User) -> None:
    assert transitions(ask(admin, actor=admin.pk)) == [("READY", "CANCELLED")]


def test_filters_go_with_dates_and_pages(admin: User) -> None:
    third = StatusLog.objects.order_by("id")[3].timestamp.isoformat()
    assert ask(admin, source="worker", start_date=third, per_page=1)["total"] == 3
    pages = [ask(admin, source="worker", per_page=1, page=page) for page in (1, 2, 3, 4)]
    assert [len(body["data"]) for body in pages] == [1, 1, 1, 0]
    assert len({row["id"] for body in pages for row in body["data"]}) == 3


def test_a_list_without_a_filter_examines_nothing(admin: User) -> None:
    assert "examined_until" not in ask(admin)


def test_a_filter_examines_a_bounded_number_of_rows_and_says_how_far(
    admin: User, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = transitions(ask(admin, source="worker"))
    monkeypatch.setattr(queries, "MAX_EXAMINED", 4)
    body = ask(admin, source="worker")
    assert len(body["data"]) == body["total"] < len(everything)
    rest = ask(admin, source="worker", end_date=body["examined_until"])
    ids = {row["id"] for row in [*body["data"], *rest["data"]]}
    assert len(ids) == len(everything)
    assert ask(admin, execution_id=execution.pk)["examined_until"] is None


def test_the_rows_of_one_execution_are_found_by_an_index(admin: User, execution: Execution) -> None:
    execute_without_triggers(
        "INSERT INTO status_log (id, timestamp, execution_id, source)"
        " SELECT 1000 + number, clock_timestamp(), gen_random_uuid(), 'test'"
        " FROM generate_series(1, 5000) AS number"
    )
    execute_without_triggers("ANALYZE status_log")
    with CaptureQueriesContext(connection) as captured:
        ask(admin, execution_id=execution.pk)
    read = [query["sql"] for query in captured if "execution_id\" = '" in query["sql"]]
    assert len(read) == 2
    with connection.cursor() as cursor:
        for sql in read:
            cursor.execute(f"EXPLAIN {sql}")
            assert "status_log_execution" in str(cursor.fetchall())


@pytest.mark.parametrize("query", ["execution_id=x", "status_from=CANCELLING", "actor=me"])
def test_invalid_filters_are_refused(admin: User, query: str) -> None:
    answer = client_of(admin).get(f"/api/v1/status?{query}")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {query.partition("=")[0]}
