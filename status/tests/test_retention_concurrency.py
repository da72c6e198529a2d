"""Pruning while others write or prune, each over its own connection."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from status.models import StatusLog
from status.retention import prune
from status.states import Status
from status.tests.concurrency import errors_in, race, uncommitted
from status.tests.ledger_builders import execute_without_triggers, set_times
from status.verification import first_fault

pytestmark = pytest.mark.django_db(transaction=True)

OLD = 60


@pytest.fixture(autouse=True)
def newest_old(transactional_db: None) -> int:
    """The id of the newest of 60 rows from last year; one new row follows them."""
    execution = ExecutionFactory()
    while StatusLog.objects.count() < OLD:
        execution.update_status(Status.RUNNING if execution.status == Status.READY else Status.READY)
    last_year = timezone.now() - timedelta(days=365)
    rows = set_times([last_year + timedelta(seconds=nth) for nth in range(OLD)])
    execution.update_status(Status.FINISHED)
    return rows[-1].id


def prune_old(batch: int = 7) -> int:
    return sum(prune(timezone.now() - timedelta(days=30), batch=batch))


def oldest() -> int:
    return StatusLog.objects.earliest("id").id


def test_two_at_once_delete_each_row_once(newest_old: int) -> None:
    outcomes = race(4, lambda number: prune_old(batch=3 + number))
    assert errors_in(outcomes) == []
    assert sum(outcomes) == OLD
    assert oldest() == newest_old + 1
    assert first_fault() is None


def test_writers_are_not_blocked(newest_old: int) -> None:
    executions = ExecutionFactory.create_batch(3)

    def work(number: int) -> object:
        if number == len(executions):
            return prune_old(batch=1)
        for status in [Status.READY, Status.RUNNING] * 10:
            executions[number].update_status(status)
        return executions[number].delete()

    outcomes = race(len(executions) + 1, work)
    assert errors_in(outcomes) == []
    assert outcomes[-1] == OLD
    assert oldest() == newest_old + 1
    assert first_fault() is None


def test_an_open_batch_does_not_block_writers(short_lock_timeout: None) -> None:
    execution = ExecutionFactory()
    with uncommitted(prune_old):
        assert execution.update_status(Status.RUNNING) is not None
        ExecutionFactory()
    assert first_fault() is None


def test_an_open_writer_does_not_block_pruning(newest_old: int, short_lock_timeout: None) -> None:
    with uncommitted(ExecutionFactory):
        assert prune_old() == OLD
    assert oldest() == newest_old + 1


def test_the_newest_row_always_stays_while_others_write() -> None:
    execution = ExecutionFactory()

    def work(number: int) -> object:
        if number:
            return sum(prune(timezone.now() + timedelta(days=1), batch=1))
        return [execution.update_status(status) for status in [Status.READY, Status.RUNNING] * 20]

    assert errors_in(race(2, work)) == []
    assert StatusLog.objects.newest().status_to == Status.RUNNING
    assert first_fault() is None


def stop_half_way() -> None:
    batches = prune(timezone.now() - timedelta(days=30), batch=7)
    next(batches)
    next(batches)


def fail_half_way() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        stop_half_way()
        _ = 1 / 0


@pytest.mark.parametrize(("stop", "left"), [(stop_half_way, OLD - 14), (fail_half_way, OLD)])
def test_it_continues_where_it_was_stopped(stop: Callable[[], None], left: int, newest_old: int) -> None:
    stop()
    assert first_fault() is None
    assert prune_old() == left
    assert oldest() == newest_old + 1


def test_waiting_for_another_ends_with_a_clear_error(short_lock_timeout: None) -> None:
    with uncommitted(prune_old), pytest.raises(CommandError, match=r"busy; try again\. 0 rows"):
        call_command("prune_status_log", "--older-than", "30")


def test_a_repair_waits_for_a_bounded_time(short_lock_timeout: None, admin: User) -> None:
    before = StatusLog.objects.newest()
    with uncommitted(ExecutionFactory), pytest.raises(CommandError, match="busy; try again"):
        call_command("check_status_log", "--repair", "--actor", admin.email, "--reason", "test")
    assert StatusLog.objects.newest() == before


def test_an_empty_log_has_nothing_to_prune(execution: Execution) -> None:
    execute_without_triggers("DELETE FROM status_log")
    assert prune_old() == 0
