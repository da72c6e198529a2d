"""An execution's transitions, and the time between them."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.retention import prune

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


def history(caller: User | Execution, execution: Execution):
    answer = client_of(caller).get(f"/api/v1/execution/{execution.pk}/history")
    assert answer.status_code == 200
    return answer.json()


def parsed(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def test_each_transition_says_when_who_and_why(execution: Execution, owner: User, admin: User) -> None:
    ExecutionFactory(status="RUNNING")
    execution.update_status("READY", source="worker")
    execution.cancel(actor=admin, source="api", reason="too slow")
    body = history(owner, execution)
    assert body["complete"] is True
    created, ready, cancelled = body["data"]
    assert (created["status_from"], created["status_to"], created["actor"]) == (
        None,
        "PENDING",
        str(owner.pk),
    )
    assert (ready["status_from"], ready["status_to"], ready["source"]) == ("PENDING", "READY", "worker")
    newest = StatusLog.objects.newest()
    assert cancelled == {
        "id": newest.pk,
        "timestamp": f"{newest.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}",
        "status_from": "READY",
        "status_to": "CANCELLED",
        "seconds": None,
        "actor": str(admin.pk),
        "source": "api",
        "reason": "too slow",
    }


def test_the_time_in_a_status_lasts_until_the_next_transition(execution: Execution) -> None:
    execution.update_status("RUNNING")
    execution.update_status("FAILED")
    rows = history(execution, execution)["data"]
    times = [parsed(row["timestamp"]) for row in rows]
    spent = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert [row["seconds"] for row in rows] == [*spent, None]


def test_the_last_status_lasts_until_now(execution: Execution) -> None:
    before = timezone.now()
    [row] = history(execution, execution)["data"]
    created = parsed(row["timestamp"])
    assert (before - created).total_seconds() <= row["seconds"]
    assert row["seconds"] <= (timezone.now() - created).total_seconds()


@pytest.mark.django_db(transaction=True)
def test_it_says_when_the_first_transitions_are_no_longer_kept(execution: Execution, admin: User) -> None:
    execution.update_status("RUNNING")
    old = StatusLog.objects.newest()
    execution.update_status("FINISHED")
    list(prune(older_than=old.timestamp))
    body = history(admin, execution)
    assert body["complete"] is False
    assert [row["status_from"] for row in body["data"]] == ["RUNNING"]
    ExecutionFactory()
    list(prune(older_than=timezone.now()))
    assert history(admin, execution) == {"data": [], "complete": False}


def test_it_is_found_by_the_index(execution: Execution, django_assert_num_queries) -> None:
    client = client_of(execution)
    with django_assert_num_queries(2):  # the execution, and its rows
        client.get(f"/api/v1/execution/{execution.pk}/history")
    others = (Execution(script=execution.script, user=execution.user) for _ in range(2000))
    Execution.objects.bulk_create(others)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE status_log")
    assert "status_log_execution" in execution.status_logs.order_by("id").explain()
