"""Requests and tasks wait for a ledger that is busy, but not for ever."""

from collections.abc import Callable
from threading import Timer
from typing import Any, NoReturn

import pytest
from django.db import OperationalError, connection, transaction

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.common.retrying import retry_briefly, retry_patiently
from status.exceptions import IllegalTransition, LedgerBusy
from status.states import Status
from status.tests.concurrency import uncommitted

pytestmark = pytest.mark.django_db(transaction=True)

EACH = pytest.mark.parametrize("retrying", [retry_briefly, retry_patiently])


def attempts(retrying: Callable[..., Any], error: Exception) -> list[float]:
    """How many seconds a call that always fails would have waited after each attempt but the last."""

    def fail() -> NoReturn:
        raise error

    waits: list[float] = []
    with pytest.raises(type(error)):
        retrying(fail).retry_with(sleep=waits.append)()
    return waits


@pytest.mark.parametrize(("retrying", "number"), [(retry_briefly, 4), (retry_patiently, 8)])
def test_the_number_of_attempts_is_bounded(retrying: Callable[..., Any], number: int) -> None:
    assert len(attempts(retrying, LedgerBusy())) == number - 1


@EACH
def test_the_pauses_are_random(retrying: Callable[..., Any]) -> None:
    assert attempts(retrying, LedgerBusy()) != attempts(retrying, LedgerBusy())


@EACH
def test_what_would_fail_again_is_tried_once(retrying: Callable[..., Any]) -> None:
    assert attempts(retrying, IllegalTransition(Status.FAILED, Status.READY)) == []


@EACH
def test_a_part_of_a_transaction_is_not_tried_again(retrying: Callable[..., Any]) -> None:
    with transaction.atomic():
        assert attempts(retrying, LedgerBusy()) == []


@EACH
@pytest.mark.usefixtures("short_lock_timeout")
def test_a_busy_ledger_is_waited_for(retrying: Callable[..., Any], execution: Execution) -> None:
    holder = ExecutionFactory()
    with uncommitted(lambda: holder.update_status(Status.RUNNING)) as end:
        with pytest.raises(LedgerBusy):
            execution.update_status(Status.RUNNING)
        Timer(0.05, end).start()
        assert retrying(execution.update_status)(Status.RUNNING) is not None


def test_a_task_makes_a_lost_connection_anew(execution: Execution) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert retry_patiently(execution.update_status)(Status.RUNNING) is not None
