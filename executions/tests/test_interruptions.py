"""A change that fails anywhere in the middle leaves nothing behind, and can be made again."""

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, transaction

from executions.models import Execution, ExecutionLog
from status.attribution import attributed_to
from status.models import StatusLog
from status.states import Status
from status.tests.racing import race
from status.verification import first_fault

from .factories import ExecutionFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def move(execution: Execution) -> None:
    assert execution.update_status(Status.RUNNING, progress=5, source="shell") is not None


def move_what_has_moved(execution: Execution) -> None:
    """By an instance that thinks that it is READY still."""
    execution.status = Status.READY
    assert execution.update_status(Status.RUNNING) is not None


def end(execution: Execution) -> None:
    execution.accept_report("FINISHED", results={"rows": 3}, source="api")


def move_many(execution: Execution) -> None:
    assert execution.script.executions.update_status(Status.CANCELLED) == 1


def take(execution: Execution) -> None:
    assert execution.take("worker")


def create_many(execution: Execution) -> None:
    with attributed_to(execution.user, "shell", "three at once"):
        Execution.objects.bulk_create(
            Execution(user=execution.user, script=execution.script) for _ in range(3)
        )


def run(execution: Execution) -> None:
    execution.script.run(execution.user)


def delete(execution: Execution) -> None:
    execution.delete()


def delete_many(execution: Execution) -> None:
    assert execution.script.executions.all().delete()[0] == 1


def delete_by_cascade(execution: Execution) -> None:
    execution.script.delete()


CHANGES = [
    move,
    move_what_has_moved,
    end,
    move_many,
    take,
    create_many,
    run,
    delete,
    delete_many,
    delete_by_cascade,
]


class Interrupted(Exception):
    """What a test has happen instead of a statement."""


def fail_here(cursor: Any) -> None:
    raise Interrupted


def fail_there(cursor: Any) -> None:
    cursor.execute("SELECT 1 / 0")


def lose_the_connection(cursor: Any) -> None:
    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


class Interruption:
    """An ``execute_wrapper`` that has ``fail`` happen just before statement number ``nth``."""

    def __init__(self, nth: int, fail: Callable[[Any], None]) -> None:
        self._left, self._fail = nth, fail

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._fail(context["cursor"])
        return execute(sql, params, many, context)


def state() -> list[list[dict[str, Any]]]:
    return [list(model.objects.order_by("pk").values()) for model in (Execution, StatusLog, ExecutionLog)]


FAILURES = [fail_here, fail_there, lose_the_connection]


def make(change: Callable[[Execution], None], execution: Execution, interruption: Interruption) -> None:
    fresh = Execution.objects.select_related("script", "user").get(pk=execution.pk)
    with connection.execute_wrapper(interruption):
        change(fresh)


@pytest.mark.parametrize("change", CHANGES)
def test_any_statement_may_fail(change: Callable[[Execution], None], execution: Execution) -> None:
    before, failures = state(), 0
    for nth, fail in ((nth, fail) for nth in count(1) for fail in FAILURES):
        try:
            make(change, execution, Interruption(nth, fail))
            break
        except (Interrupted, Error):
            if fail is lose_the_connection:
                connection.close()
        assert state() == before
        failures += 1
    assert failures >= len(FAILURES)
    assert state() != before
    assert first_fault() is None


@pytest.mark.parametrize("change", CHANGES)
def test_any_statement_may_fail_inside_a_larger_transaction(
    change: Callable[[Execution], None], execution: Execution
) -> None:
    for nth in count(1):
        other, newest = ExecutionFactory(), StatusLog.objects.newest().id
        with transaction.atomic():
            other.update_status(Status.RUNNING)
            with suppress(Error), transaction.atomic():
                make(change, execution, Interruption(nth, fail_there))
                break
            other.update_status(Status.FINISHED)
        moves = StatusLog.objects.after(newest).values_list("execution", "status_to")
        assert list(moves) == [(other.pk, Status.RUNNING), (other.pk, Status.FINISHED)]
        assert first_fault() is None
    assert nth > 1
    assert first_fault() is None


def test_the_connection_may_be_lost_at_the_commit(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state()

    def commit() -> None:
        with connection.cursor() as cursor:
            lose_the_connection(cursor)

    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(connection, "_commit", commit)
        move(execution)
    connection.close()
    assert state() == before
    assert execution.update_status(Status.RUNNING) is not None  # by the instance that thinks it is there
    assert first_fault() is None


def waiting_for_the_ledger() -> list[int]:
    """The server processes on this database that do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        )
        return [pid for (pid,) in cursor.fetchall()]


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.parametrize("change", [move, move_many, create_many, delete])
def test_the_connection_may_be_lost_while_it_waits_for_the_ledger(
    change: Callable[[Execution], None], execution: Execution
) -> None:
    held, done = threading.Event(), threading.Event()
    holder = ExecutionFactory()
    before = state()

    def hold() -> None:
        with transaction.atomic():
            holder.update_status(Status.RUNNING)
            held.set()
            done.wait()
            transaction.set_rollback(True)

    def wait() -> None:
        held.wait()
        change(execution)

    def cut() -> None:
        try:
            terminate(*eventually(waiting_for_the_ledger))
        finally:
            done.set()

    held_to_the_end, error, cut_off = race(3, lambda number: (hold, wait, cut)[number]())
    assert (held_to_the_end, cut_off) == (None, None)
    assert isinstance(error, OperationalError)
    assert state() == before
    assert first_fault() is None


def test_who_waits_goes_on_when_the_holder_is_lost(execution: Execution) -> None:
    held = threading.Event()
    holder = ExecutionFactory()

    def hold() -> None:
        with transaction.atomic():
            holder.update_status(Status.RUNNING)
            held.set()
            eventually(waiting_for_the_ledger)
            with connection.cursor() as cursor:
                lose_the_connection(cursor)

    def wait() -> StatusLog | None:
        held.wait()
        return execution.update_status(Status.RUNNING)

    error, log = race(2, lambda number: (hold, wait)[number]())
    assert isinstance(error, OperationalError)
    assert log == StatusLog.objects.newest()
    assert Execution.objects.get(pk=holder.pk).status == Status.PENDING
    assert first_fault() is None
