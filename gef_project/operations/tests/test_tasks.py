"""The scheduled tasks of the ledger: they compare its counts, and delete its oldest rows."""

import logging
from datetime import timedelta
from itertools import chain

import pytest
from django.utils import timezone
from pytest_django import Settings

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.operations import tasks
from gef_project.operations.models import CountCheck
from status.models import StatusLog
from status.states import Status
from status.tests.concurrency import errors_in, race, uncommitted
from status.tests.ledger_builders import execute_without_triggers, set_times
from status.verification import counts_fault, first_fault


def drift() -> None:
    execute_without_triggers("UPDATE executions_execution SET status = 'READY' WHERE status = 'PENDING'")


@pytest.mark.django_db
def test_true_counts_are_stored_and_not_logged(
    execution: Execution, caplog: pytest.LogCaptureFixture
) -> None:
    before = timezone.now()
    tasks.check_status_counts()
    check = CountCheck.objects.get()
    assert (check.fault, check.checked_at >= before) == ("", True)
    assert caplog.records == []


@pytest.mark.django_db
def test_drift_is_an_error_in_the_log(execution: Execution, caplog: pytest.LogCaptureFixture) -> None:
    drift()
    tasks.check_status_counts()
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    fault = f"row {StatusLog.objects.newest().id}: executions_pending is 1 but should be 0"
    assert fault in record.getMessage()
    assert CountCheck.objects.get().fault.startswith(fault)


@pytest.mark.django_db
def test_the_last_check_is_what_counts(execution: Execution) -> None:
    drift()
    tasks.check_status_counts()
    StatusLog.objects.append_snapshot(source="repair", reason="changed behind the ledger")
    tasks.check_status_counts()
    assert CountCheck.objects.get().fault == ""


@pytest.mark.django_db(transaction=True)
def test_the_check_is_exact_while_others_write() -> None:
    executions = ExecutionFactory.create_batch(4)

    def work(number: int) -> list[object]:
        if number >= len(executions):
            return [counts_fault() for _ in range(100)]
        for status in [Status.READY, Status.RUNNING] * 10:
            executions[number].update_status(status)
        return []

    outcomes = race(6, work)
    assert errors_in(outcomes) == []
    assert list(chain.from_iterable(outcomes)) == [None] * 200


@pytest.mark.django_db(transaction=True)
def test_the_check_waits_for_no_writer(execution: Execution, short_lock_timeout: None) -> None:
    with uncommitted(lambda: execution.update_status(Status.RUNNING)):
        tasks.check_status_counts()
    assert CountCheck.objects.get().fault == ""


@pytest.fixture
def old_rows(db: None) -> list[int]:
    """The ids of all rows; the first four are 40 days old."""
    ExecutionFactory(status=Status.FINISHED)
    ExecutionFactory(status=Status.RUNNING)
    count, now = StatusLog.objects.count(), timezone.now()
    times = [now - timedelta(days=40)] * 4 + [now] * (count - 4)
    return [row.id for row in set_times(times)]


def kept() -> list[int]:
    return list(StatusLog.objects.order_by("id").values_list("id", flat=True))


@pytest.mark.django_db
def test_without_a_retention_everything_is_kept(old_rows: list[int]) -> None:
    tasks.prune_status_log()
    assert kept() == old_rows


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "gone"), [(30, 4), (50, 0)])
def test_rows_older_than_the_retention_go(
    old_rows: list[int], settings: Settings, days: int, gone: int
) -> None:
    settings.STATUS_LOG_RETENTION = timedelta(days=days)
    tasks.prune_status_log()
    tasks.prune_status_log()
    assert kept() == old_rows[gone:]
    assert first_fault() is None


@pytest.mark.django_db
def test_a_run_that_takes_too_long_leaves_the_rest_to_the_next(
    old_rows: list[int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATUS_LOG_RETENTION = timedelta(days=30)
    monkeypatch.setattr("status.retention.BATCH", 3)
    monkeypatch.setattr(tasks, "PRUNE_FOR", timedelta(0))
    tasks.prune_status_log()
    assert kept() == old_rows[3:]
    tasks.prune_status_log()
    assert kept() == old_rows[4:]
