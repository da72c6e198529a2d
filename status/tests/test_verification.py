"""The check finds each kind of fault. Only a superuser can break the ledger as these tests do."""

import pytest
from django.db import transaction

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from status.models import StatusLog
from status.retention import prune
from status.states import Status
from status.verification import Fault, counts_fault, first_fault

from .ledger_builders import execute_without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def history(db: None) -> None:
    for status in (Status.RUNNING, Status.FINISHED, Status.CANCELLED):
        ExecutionFactory(status=status)
    assert first_fault() is None


FAULTS = {
    "the row before it is missing": "DELETE FROM status_log WHERE id = {id} - 1",
    "it is older than the row before it": "UPDATE status_log SET timestamp = 'epoch' WHERE id = {id}",
    "its counts are not": "UPDATE status_log SET executions_failed = 1 WHERE id = {id}",
    "executions_active is not the sum": "UPDATE status_log SET executions_active = 9 WHERE id = {id}",
    "its status_from is not": (
        "UPDATE status_log SET status_from = 'READY', executions_ready = executions_ready - 1,"
        " executions_pending = executions_pending + 1 WHERE id = {id}"
    ),
}


@pytest.mark.parametrize("problem", FAULTS)
def test_the_first_broken_row_is_named(problem: str) -> None:
    broken = StatusLog.objects.filter(status_from=Status.PENDING).earliest("id")
    execute_without_triggers(FAULTS[problem].format(id=broken.id))
    fault = first_fault()
    assert fault is not None
    assert fault.log_id == broken.id
    assert problem in fault.problem


@pytest.mark.parametrize("span", [1, 2, 3])
def test_missing_rows_are_found_wherever_the_spans_begin(span: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole spans may be missing. A later repair explains changes without a log row, but not a gap."""
    monkeypatch.setattr("status.verification.SPAN", span)
    ids = list(StatusLog.objects.order_by("id").values_list("id", flat=True))
    StatusLog.objects.append_snapshot(source="repair")
    for gone, left in [(ids[1:2], ids[2]), (ids[2:3], ids[3]), (ids[3:4], ids[4]), (ids[1:-1], ids[-1])]:
        with transaction.atomic():
            execute_without_triggers(f"DELETE FROM status_log WHERE id BETWEEN {gone[0]} AND {gone[-1]}")
            assert first_fault() == Fault(left, "the row before it is missing")
            transaction.set_rollback(True)


def test_rows_that_are_pruned_meanwhile_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("status.verification.SPAN", 3)
    fourth = StatusLog.objects.order_by("id")[3]

    def prune_into_the_next_span(rows: int) -> None:
        list(prune(fourth.timestamp))

    assert first_fault(prune_into_the_next_span) is None
    assert not StatusLog.objects.filter(pk=fourth.pk).exists()


def test_what_comes_after_a_broken_row_can_be_checked_alone() -> None:
    broken = StatusLog.objects.filter(status_from=Status.PENDING).earliest("id")
    execute_without_triggers(FAULTS["executions_active is not the sum"].format(id=broken.id))
    assert first_fault(since=broken.id) is not None
    assert first_fault(since=broken.id + 1) is None


def test_a_change_without_its_row_is_found() -> None:
    newest = StatusLog.objects.newest()
    execute_without_triggers("UPDATE executions_execution SET status = 'READY' WHERE status = 'RUNNING'")
    assert counts_fault() == Fault(
        newest.id, "executions_ready is 0 but should be 1; executions_running is 1 but should be 0"
    )
    fault = first_fault()
    assert fault is not None
    assert "in RUNNING, but it is in READY" in fault.problem


def test_two_changes_that_leave_the_counts_alone_are_found() -> None:
    execute_without_triggers(
        "UPDATE executions_execution SET status = CASE status WHEN 'FINISHED' THEN 'CANCELLED'"
        " ELSE 'FINISHED' END WHERE status IN ('FINISHED', 'CANCELLED')"
    )
    assert counts_fault() is None
    fault = first_fault()
    assert fault is not None
    assert "FINISHED" in fault.problem


def test_a_snapshot_repairs_the_counts() -> None:
    execute_without_triggers("DELETE FROM executions_execution WHERE status = 'RUNNING'")
    assert counts_fault() is not None
    StatusLog.objects.append_snapshot(source="repair", reason="rows lost in a restore")
    assert counts_fault() is None
    assert first_fault() is None


def test_after_a_repair_the_execution_continues_from_its_true_status() -> None:
    execution = Execution.objects.get(status=Status.RUNNING)
    execute_without_triggers("UPDATE executions_execution SET status = 'READY' WHERE status = 'RUNNING'")
    StatusLog.objects.append_snapshot(source="repair", reason="changed without a log row")
    assert first_fault() is None
    log = execution.update_status(Status.RUNNING)
    assert log is not None
    assert log.status_from == Status.READY
    assert first_fault() is None


def test_progress_tells_how_many_rows_were_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("status.verification.SPAN", 2)
    rows: list[int] = []
    assert first_fault(rows.append) is None
    assert sum(rows) == StatusLog.objects.count()
    assert max(rows) == 2
    assert Execution.objects.count() == 3
