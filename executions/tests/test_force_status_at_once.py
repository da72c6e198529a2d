"""Forced statuses while others write, each over a connection of its own."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.common.locking import translate_lock_errors
from status.exceptions import IllegalTransition, LedgerBusy
from status.models import StatusLog
from status.states import TERMINAL, TRANSITIONS, Status
from status.tests.racing import find_deadlocks_soon, in_processes, race, raised
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)

FORCED = 20
WRITERS = 4
SHORT_LIVED = "nobody's"  # the mark of executions that only one writer knows


@pytest.fixture(autouse=True)
def executions(admin: User) -> list[Execution]:
    batch: list[Execution] = ExecutionFactory.create_batch(4, script=ScriptFactory())
    return batch


def force(execution: Execution, status: Status) -> None:
    who = ["--actor", "admin@example.org", "--reason", "test", "--no-input"]
    call_command("force_status", str(execution.pk), status, *who, stdout=StringIO())


def some(chance: random.Random) -> Execution:
    return chance.choice(list(Execution.objects.exclude(worker=SHORT_LIVED).order_by("pk")))


def move(chance: random.Random) -> None:
    some(chance).update_status(chance.choice(list(Status)))


def move_many(chance: random.Random) -> None:
    Execution.objects.update_status(chance.choice([Status.READY, Status.RUNNING]))


def lock_then_move(chance: random.Random) -> None:
    """The row's lock, and later the table's: what a weaker lock of the command would deadlock with."""
    with transaction.atomic():
        pk = some(chance).pk
        with translate_lock_errors():  # the caller's own statement may be the deadlock victim
            execution = Execution.objects.select_for_update(no_key=True).get(pk=pk)
        if execution.status not in TERMINAL:
            execution.update_status(chance.choice(sorted(TRANSITIONS[Status(execution.status)])))


def log_then_move(chance: random.Random) -> None:
    """The row is locked for the sake of a foreign key before it is written."""
    with transaction.atomic():
        execution = some(chance)
        execution.log("a line", "INFO")
        execution.update_status(Status.RUNNING)


def move_two(chance: random.Random) -> None:
    with transaction.atomic():
        some(chance).update_status(Status.RUNNING)
        some(chance).update_status(Status.READY)


def come_and_go(chance: random.Random) -> None:
    one = some(chance)
    Execution.objects.create(script=one.script, user=one.user, worker=SHORT_LIVED).delete()


def forced_rows() -> int:
    return StatusLog.objects.filter(source="repair").count()


def write_or_force(number: int) -> None:
    """Make random changes, or force random statuses until there are enough of them."""
    find_deadlocks_soon()  # in a process, too
    chance = random.Random(number)
    if number < WRITERS:
        for _ in range(60):
            with suppress(IllegalTransition, LedgerBusy):
                chance.choice([move, move_many, lock_then_move, log_then_move, move_two, come_and_go])(chance)
    else:
        while forced_rows() < FORCED:
            with suppress(CommandError):  # busy
                force(some(chance), chance.choice(list(Status)))


@pytest.mark.parametrize("at_once", [race, in_processes])
def test_forced_statuses_among_writers_leave_a_true_ledger(at_once: Callable[..., list[object]]) -> None:
    assert raised(at_once(WRITERS + 2, write_or_force)) == []
    assert forced_rows() >= FORCED
    assert first_fault() is None


def test_nobody_fails_for_a_forced_status(executions: list[Execution]) -> None:
    """Single moves wait until it is over; they meet neither deadlock nor time limit."""

    def work(number: int) -> None:
        if number == len(executions):
            for _ in range(FORCED):
                force(executions[0], Status.FAILED)
                force(executions[0], Status.PENDING)
            return
        execution = Execution.objects.get(pk=executions[number].pk)
        for status in [Status.READY, Status.RUNNING] * 15:
            with suppress(IllegalTransition):  # of the one that is forced
                execution.update_status(status)

    assert raised(race(len(executions) + 1, work)) == []
    assert first_fault() is None


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.rowcount)


def test_who_has_locked_a_row_can_still_move_it(executions: list[Execution]) -> None:
    """It would be the one to fail if the command waited for the row, and held what the move needs."""
    locked = threading.Event()

    def work(number: int) -> None:
        if number:
            with connection.cursor() as cursor:
                cursor.execute("SET deadlock_timeout = '10s'")
            locked.wait()
            force(executions[0], Status.FAILED)
            return
        with transaction.atomic():
            execution = Execution.objects.select_for_update(no_key=True).get(pk=executions[0].pk)
            locked.set()
            eventually(somebody_waits_for_a_lock)
            assert execution.update_status(Status.RUNNING) is not None

    assert raised(race(2, work)) == []
    executions[0].refresh_from_db()
    assert executions[0].status == Status.FAILED
    assert first_fault() is None


def test_two_operators_at_once_each_leave_their_row(executions: list[Execution]) -> None:
    before = StatusLog.objects.newest().id
    ends = [Status.FINISHED, Status.FAILED, Status.CANCELLED]
    assert raised(race(3, lambda number: force(executions[0], ends[number]))) == []
    assert StatusLog.objects.newest().id == before + 3
    assert first_fault() is None
