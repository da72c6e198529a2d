"""``force_status`` while others write, each over its own connection."""

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
from status.tests.concurrency import errors_in, in_processes, race, shorten_deadlock_timeout
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)

FORCED = 20
WRITERS = 4
SHORT_LIVED = "nobody's"  # marks executions that only one writer uses


@pytest.fixture(autouse=True)
def executions(admin: User) -> list[Execution]:
    batch: list[Execution] = ExecutionFactory.create_batch(4, script=ScriptFactory())
    return batch


def force(execution: Execution, status: Status) -> None:
    who = ["--actor", "admin@example.org", "--reason", "test", "--no-input"]
    call_command("force_status", str(execution.pk), status, *who, stdout=StringIO())


def some(chance: random.Random) -> Execution:
    return chance.choice(list(Execution.objects.exclude(worker=SHORT_LIVED).order_by("pk")))


def change_one(chance: random.Random) -> None:
    some(chance).update_status(chance.choice(list(Status)))


def change_many(chance: random.Random) -> None:
    Execution.objects.update_status(chance.choice([Status.READY, Status.RUNNING]))


def lock_then_change(chance: random.Random) -> None:
    """Lock a row and later the ledger, with which a weaker lock of the command would deadlock."""
    with transaction.atomic():
        pk = some(chance).pk
        with translate_lock_errors():  # the caller's own statement may be the deadlock victim
            execution = Execution.objects.select_for_update(no_key=True).get(pk=pk)
        if execution.status not in TERMINAL:
            execution.update_status(chance.choice(sorted(TRANSITIONS[Status(execution.status)])))


def log_then_change(chance: random.Random) -> None:
    """Lock a row by a foreign key before it is changed."""
    with transaction.atomic():
        execution = some(chance)
        execution.log("a line", "INFO")
        execution.update_status(Status.RUNNING)


def change_two(chance: random.Random) -> None:
    with transaction.atomic():
        some(chance).update_status(Status.RUNNING)
        some(chance).update_status(Status.READY)


def create_and_delete(chance: random.Random) -> None:
    one = some(chance)
    Execution.objects.create(script=one.script, user=one.user, worker=SHORT_LIVED).delete()


def forced_rows() -> int:
    return StatusLog.objects.filter(source="repair").count()


def write_or_force(number: int) -> None:
    """Make random changes, or force random statuses until there are enough of them."""
    shorten_deadlock_timeout()  # in a process, too
    chance = random.Random(number)
    if number < WRITERS:
        for _ in range(60):
            with suppress(IllegalTransition, LedgerBusy):
                chance.choice(
                    [
                        change_one,
                        change_many,
                        lock_then_change,
                        log_then_change,
                        change_two,
                        create_and_delete,
                    ]
                )(chance)
    else:
        while forced_rows() < FORCED:
            with suppress(CommandError):  # busy
                force(some(chance), chance.choice(list(Status)))


@pytest.mark.parametrize("at_once", [race, in_processes])
def test_forced_statuses_among_writers_leave_a_correct_ledger(at_once: Callable[..., list[object]]) -> None:
    assert errors_in(at_once(WRITERS + 2, write_or_force)) == []
    assert forced_rows() >= FORCED
    assert first_fault() is None


def test_no_writer_fails_because_of_a_forced_status(executions: list[Execution]) -> None:
    """Other changes wait for it; they end neither in a deadlock nor by the lock timeout."""

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

    assert errors_in(race(len(executions) + 1, work)) == []
    assert first_fault() is None


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.rowcount)


def test_a_transaction_that_has_locked_a_row_can_still_change_it(executions: list[Execution]) -> None:
    """It would fail if the command waited for the row while it held the ledger's lock."""
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

    assert errors_in(race(2, work)) == []
    executions[0].refresh_from_db()
    assert executions[0].status == Status.FAILED
    assert first_fault() is None


def test_two_operators_at_once_each_leave_their_row(executions: list[Execution]) -> None:
    before = StatusLog.objects.newest().id
    ends = [Status.FINISHED, Status.FAILED, Status.CANCELLED]
    assert errors_in(race(3, lambda number: force(executions[0], ends[number]))) == []
    assert StatusLog.objects.newest().id == before + 3
    assert first_fault() is None
