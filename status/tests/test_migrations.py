"""Old rows survive the way to the ledger, and the way back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .migrating import migrate, migrated_back

pytestmark = pytest.mark.django_db(transaction=True)

PERIODIC = ("status", "0001_initial")
TOTALS_GONE = ("status", "0002_count_cancelled_instead_of_totals")
BEFORE_GUARDS = ("executions", "0001_initial")
NEWEST = ("status", "0011_append_together")
BEFORE_LAST_MOVES = ("executions", "0007_leave_room_for_moves")

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def old_row(minute: int, **counts: int) -> dict[str, Any]:
    names = ("active", "ready", "running", "finished", "failed", "count")
    return {
        "timestamp": NOON + timedelta(minutes=minute),
        **{f"executions_{name}": counts.get(name, 0) for name in names},
        "users_count": 7,
        "scripts_count": 5,
    }


# Each with what its total implies.
OLD_ROWS = [
    (
        old_row(0, active=6, ready=1, running=2, finished=10, failed=3, count=21),
        {"pending": 3, "cancelled": 2},
    ),
    (old_row(2, active=3, ready=1, running=2, finished=4, failed=1, count=8), {"pending": 0, "cancelled": 0}),
    # Its task counted neither pending nor active ones.
    (old_row(4, active=0, ready=1, running=2, finished=4, failed=1, count=9), {"pending": 0, "cancelled": 1}),
    # A total that is too small implies nothing.
    (old_row(6, active=2, ready=1, running=1, finished=4, failed=1, count=3), {"pending": 0, "cancelled": 0}),
]


@pytest.fixture
def old_apps() -> Iterator[Apps]:
    """A database of the periodic task's time, with its rows; a hole in their ids after the second."""
    with migrated_back(PERIODIC) as apps:
        model = apps.get_model("status", "StatusLog")
        model.objects.all().delete()
        for number, (row, _) in enumerate(OLD_ROWS):
            log = model.objects.create(id=number + 1 if number < 2 else number + 40, **row)
            model.objects.filter(pk=log.pk).update(timestamp=row["timestamp"])
        yield apps


def test_old_rows_get_the_counts_that_their_total_implies(old_apps: Apps) -> None:
    model = migrate(("status", "0003_count_pending")).get_model("status", "StatusLog")
    for log, (row, implied) in zip(model.objects.order_by("id"), OLD_ROWS, strict=True):
        assert log.timestamp == row["timestamp"]
        assert log.executions_finished == row["executions_finished"]
        assert {name: getattr(log, f"executions_{name}") for name in implied} == implied


def test_the_way_back_restores_the_total_as_the_sum(old_apps: Apps) -> None:
    migrate(NEWEST)
    model = migrate(PERIODIC).get_model("status", "StatusLog")
    restored = [
        {name: getattr(log, name) for name in OLD_ROWS[0][0] if name not in ("users_count", "scripts_count")}
        for log in model.objects.order_by("id")
    ]
    expected = [
        {name: value for name, value in row.items() if name not in ("users_count", "scripts_count")}
        for row, _ in OLD_ROWS
    ]
    expected[3]["executions_count"] = 7  # what its other counts add up to
    assert restored == expected


def test_the_new_count_is_zero_unless_said_and_the_totals_are_gone(old_apps: Apps) -> None:
    model = migrate(TOTALS_GONE).get_model("status", "StatusLog")
    assert model.objects.create(id=100).executions_cancelled == 0  # the sequence knows nothing of the rows
    names = {field.name for field in model._meta.fields}
    assert names.isdisjoint({"executions_count", "users_count", "scripts_count"})


def test_the_ledger_goes_on_from_the_old_rows_with_a_snapshot(old_apps: Apps) -> None:
    migrate(NEWEST)
    *old, snapshot = StatusLog.objects.order_by("id")
    assert [log.id for log in old] == [1, 2, 3, 4]
    assert (snapshot.id, snapshot.source) == (5, "migration")
    assert (snapshot.status_from, snapshot.status_to, snapshot.execution_id) == (None, None, None)
    ExecutionFactory().update_status(Status.RUNNING)
    assert StatusLog.objects.newest().executions_running == 1
    assert first_fault() is None


def test_the_snapshot_states_the_executions_that_there_are() -> None:
    for status in (Status.PENDING, Status.RUNNING, Status.RUNNING, Status.CANCELLED):
        ExecutionFactory(status=status)
    with migrated_back(("status", "0006_append_in_order"), BEFORE_GUARDS):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM status_log")  # as if they were older than the ledger
        migrate(NEWEST)
        snapshot = StatusLog.objects.get()
        counts = (snapshot.executions_pending, snapshot.executions_running, snapshot.executions_cancelled)
        assert counts == (1, 2, 1)
        assert snapshot.executions_active == 3
        Execution.objects.update_status(Status.FINISHED)
        assert StatusLog.objects.newest().executions_finished == 3
        assert first_fault() is None


def test_what_moved_before_it_was_noted_how_moves_on_alone_and_together() -> None:
    alone, *others = [ExecutionFactory(status=Status.RUNNING) for _ in range(3)]
    with migrated_back(BEFORE_LAST_MOVES):
        pass
    assert {execution.last_move for execution in Execution.objects.all()} == {""}
    alone.update_status(Status.READY)
    assert Execution.objects.cancel() == 3
    assert Execution.objects.filter(moved_in__gt=0).count() == len(others)
    assert first_fault() is None


def test_moves_survive_the_way_back_as_plain_counts() -> None:
    ExecutionFactory(status=Status.RUNNING)
    before = list(StatusLog.objects.order_by("id").values_list("executions_running", "executions_pending"))
    with migrated_back(PERIODIC) as apps:
        logs = apps.get_model("status", "StatusLog").objects.order_by("timestamp")
        rows = list(logs.values_list("executions_running", "executions_active", "executions_count"))
        assert before == [(0, 0), (0, 1), (1, 0)]
        assert rows == [(0, 1, 1), (1, 1, 1)]  # the snapshot went with its migration
