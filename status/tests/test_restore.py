"""A dump that is restored in another database is the same ledger, with the same guarantees."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.devserver.postgresql.server import BIN
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

pytestmark = pytest.mark.django_db(transaction=True)

RESTORED = "gef_test_restored"


@contextmanager
def restored_copy() -> Iterator[None]:
    """Restore the database into a new one by pg_dump and psql, and connect to that during the block."""
    original = connection.settings_dict["NAME"]
    name = f"{RESTORED}_{original}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    restore = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={url_of(name)}"]
    dump = subprocess.run(
        [BIN / "pg_dump", "--no-owner", url_of(original)], capture_output=True, text=True, check=True
    )
    # A setting of pg_dump 18 that older servers do not know.
    sql = "\n".join(line for line in dump.stdout.splitlines() if "transaction_timeout" not in line)
    subprocess.run([BIN / "psql", *restore], input=sql, stdout=subprocess.DEVNULL, text=True, check=True)
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = original
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def url_of(name: str) -> str:
    given = connection.settings_dict
    parts = {
        "host": given["HOST"],
        "port": given["PORT"],
        "user": given["USER"],
        "password": given["PASSWORD"],
    }
    return " ".join(f"{key}='{value}'" for key, value in (parts | {"dbname": name}).items() if value)


def test_a_restored_ledger_is_correct_continues_and_refuses_the_same() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    ended = ExecutionFactory(status=Status.FAILED)
    newest = StatusLog.objects.newest().pk
    with restored_copy():
        assert first_fault() is None
        for status_from, status_to in [("RUNNING", "FINISHED"), (None, "PENDING"), ("FAILED", None)]:
            with pytest.raises(IntegrityError, match="The database itself"):
                StatusLog.objects.create(execution=ended, status_from=status_from, status_to=status_to)
        with pytest.raises(IntegrityError, match=r"Execution\.update_status"), transaction.atomic():
            Execution.objects.filter(pk=execution.pk).update(status=Status.READY)
        log = execution.update_status(Status.FINISHED)
        assert log is not None
        assert log.pk == newest + 1
        assert first_fault() is None
    assert StatusLog.objects.newest().pk == newest
