"""Tasks wait for a ledger that is busy, but not for ever."""

import threading
import time

import psycopg
import pytest
from django.db import OperationalError, connection
from tenacity import wait_none

from executions.models import Execution
from executions.retries import patiently
from status.exceptions import LedgerBusy
from status.states import Status
from status.triggers import LEDGER_LOCK

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_lock_timeout(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    yield
    connection.close()


def hold_ledger(seconds: float, held: threading.Event) -> None:
    parameters = connection.get_connection_params()
    known = {
        name: parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if name in parameters
    }
    with psycopg.connect(**known) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LEDGER_LOCK])
        held.set()
        time.sleep(seconds)


def test_a_busy_ledger_is_waited_for(execution: Execution, short_lock_timeout: None) -> None:
    held = threading.Event()
    holder = threading.Thread(target=hold_ledger, args=(0.4, held))
    holder.start()
    held.wait()
    with pytest.raises(LedgerBusy):
        execution.update_status(Status.RUNNING)
    assert patiently(execution.update_status)(Status.RUNNING) is not None
    holder.join()


def test_a_lost_connection_is_made_anew(execution: Execution) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert patiently(execution.update_status)(Status.RUNNING) is not None


def test_patience_ends() -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise LedgerBusy

    with pytest.raises(LedgerBusy):
        patiently(fail).retry_with(wait=wait_none())()
    assert len(attempts) == 8
