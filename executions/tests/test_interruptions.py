"""A change that fails anywhere in the middle leaves nothing behind, and can be made again."""

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, transaction

from executions.models import Execution
from status.models import StatusLog
from status.states import Status
from status.tests.concurrency import pids_waiting_for_ledger, race, uncommitted
from status.verification import first_fault

from .change_cases import CHANGES, Change, create_many, delete, stored_rows, transition, transition_many
from .factories import ExecutionFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Interrupted(Exception):
    """What a test raises in place of a statement."""


def raise_in_python(cursor: Any) -> None:
    raise Interrupted


def fail_on_the_server(cursor: Any) -> None:
    cursor.execute("SELECT 1 / 0")


def lose_the_connection(cursor: Any) -> None:
    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


class Interruption:
    """An ``execute_wrapper`` that calls ``fail`` just before statement number ``nth``."""

    def __init__(self, nth: int, fail: Callable[[Any], None]) -> None:
        self._left, self._fail = nth, fail

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._fail(context["cursor"])
        return execute(sql, params, many, context)


FAILURES = [raise_in_python, fail_on_the_server, lose_the_connection]


def make(change: Change, execution: Execution, interruption: Interruption) -> None:
    fresh = Execution.objects.select_related("script", "user").get(pk=execution.pk)
    with connection.execute_wrapper(interruption):
        change(fresh)


@pytest.mark.parametrize("change", CHANGES)
def test_any_statement_may_fail(change: Change, execution: Execution) -> None:
    before, failures = stored_rows(), 0
    for nth, fail in ((nth, fail) for nth in count(1) for fail in FAILURES):
        try:
            make(change, execution, Interruption(nth, fail))
            break
        except (Interrupted, Error):
            if fail is lose_the_connection:
                connection.close()
        assert stored_rows() == before
        failures += 1
    assert failures >= len(FAILURES)
    assert stored_rows() != before
    assert first_fault() is None


@pytest.mark.parametrize("change", CHANGES)
def test_any_statement_may_fail_inside_a_larger_transaction(change: Change, execution: Execution) -> None:
    for nth in count(1):
        other, newest = ExecutionFactory(), StatusLog.objects.newest().id
        with transaction.atomic():
            other.update_status(Status.RUNNING)
            with suppress(Error), transaction.atomic():
                make(change, execution, Interruption(nth, fail_on_the_server))
                break
            other.update_status(Status.FINISHED)
        rows = StatusLog.objects.after(newest).values_list("execution", "status_to")
        assert list(rows) == [(other.pk, Status.RUNNING), (other.pk, Status.FINISHED)]
        assert first_fault() is None
    assert nth > 1
    assert first_fault() is None


def test_the_connection_may_be_lost_at_the_commit(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_rows()

    def commit() -> None:
        with connection.cursor() as cursor:
            lose_the_connection(cursor)

    with monkeypatch.context() as patch, pytest.raises(OperationalError), transaction.atomic():
        patch.setattr(connection, "_commit", commit)
        transition(execution)
    connection.close()
    assert stored_rows() == before
    assert execution.update_status(Status.RUNNING) is not None  # by an instance that has RUNNING already
    assert first_fault() is None


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.parametrize("change", [transition, transition_many, create_many, delete])
def test_the_connection_may_be_lost_while_it_waits_for_the_ledger(
    change: Change, execution: Execution
) -> None:
    holder = ExecutionFactory()
    before = stored_rows()

    def cut() -> None:
        terminate(*eventually(pids_waiting_for_ledger))

    with uncommitted(lambda: holder.update_status(Status.RUNNING)):
        error, cut_off = race(2, lambda number: change(execution) if number == 0 else cut())
    assert isinstance(error, OperationalError)
    assert cut_off is None
    assert stored_rows() == before
    assert first_fault() is None


def test_a_waiting_change_continues_when_the_holder_of_the_lock_is_lost(execution: Execution) -> None:
    holder = ExecutionFactory()
    held = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            holder.update_status(Status.RUNNING)
            held.set()
            eventually(pids_waiting_for_ledger)
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
