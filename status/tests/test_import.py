"""What the database allows an import, before the ledger begins, and to nobody else."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from status.aggregation import buckets
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .migration_helpers import migrated_back

pytestmark = pytest.mark.django_db

START, NOON, END = (datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (0, 12, 18))


def call(query: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)


@contextmanager
def importing() -> Iterator[None]:
    with attributed_to(source="import", permission="import"):
        call("SELECT start_status_import()")
        yield


def old_row(at: datetime, execution: uuid.UUID | None, *statuses: str | None, finished: int = 0) -> None:
    """A row of another service: id and source are not read."""
    call(
        "SELECT import_status_rows(ARRAY["
        "ROW(77, %s, %s, %s, %s, 0, 0, 0, %s, 0, 0, 0, NULL, 'x', 'y')::status_log])",
        *(at, execution, *(statuses or (None, None)), finished),
    )


def load(owner: User, script: Script) -> Execution:
    fields: dict[str, Any] = {"status": Status.FAILED, "start_date": NOON, "end_date": END}
    return Execution.objects.bulk_create([Execution(user=owner, script=script, **fields)])[0]


@pytest.fixture
def loaded(owner: User, script: Script) -> Execution:
    """FAILED, whatever the old rows say, which are not even chained."""
    pk = uuid.uuid4()
    with importing():
        old_row(START, None, finished=7)
        old_row(NOON, pk, Status.RUNNING, Status.FINISHED, finished=3)
        old_row(NOON, pk, Status.FAILED, Status.READY, finished=5)
        one = load(owner, script)
        StatusLog.objects.append_snapshot(source="import")
    return one


def test_old_rows_are_numbered_before_the_snapshot_that_counts_the_executions(loaded: Execution) -> None:
    rows = StatusLog.objects.order_by("id").values_list("id", "source", "executions_failed")
    assert list(rows) == [(1, "imported", 0), (2, "imported", 0), (3, "imported", 0), (4, "import", 1)]
    assert StatusLog.objects.ids_of_ledger() == range(4, 5)
    assert first_fault() is None


def test_the_ledger_goes_on_from_the_snapshot(loaded: Execution) -> None:
    loaded.delete()
    ExecutionFactory(status=Status.RUNNING)
    assert StatusLog.objects.newest().pk == 7
    assert first_fault() is None


def test_what_changes_without_a_log_row_after_the_import_is_found(loaded: Execution) -> None:
    call("SET session_replication_role = replica")
    call("UPDATE executions_execution SET status = 'CANCELLED'")
    call("SET session_replication_role = origin")
    fault = first_fault()
    assert fault is not None
    assert "executions_failed is 1 but should be 0" in fault.problem


def test_ends_of_imported_rows_are_the_growth_of_what_they_counted(loaded: Execution) -> None:
    days = [START, NOON, END, timezone.now()]
    assert [bucket["executions_finished"] for bucket in buckets(days)] == [0, 0, 0]
    assert [bucket["executions_failed"] for bucket in buckets(days)] == [0, 0, 1]


def test_rows_of_an_import_come_before_the_ledger_alone(execution: Execution) -> None:
    newest = StatusLog.objects.newest().pk
    with pytest.raises(IntegrityError, match="come before the ledger"), transaction.atomic():
        execution.update_status(Status.RUNNING, source="imported")
    with pytest.raises(IntegrityError, match="The ledger has begun"), transaction.atomic():
        old_row(NOON, None)
    with pytest.raises(IntegrityError, match="come before the ledger"), transaction.atomic():
        StatusLog.objects.append_snapshot(source="imported")
    assert StatusLog.objects.newest().pk == newest


@pytest.mark.usefixtures("execution")
def test_an_import_needs_a_database_without_executions() -> None:
    with pytest.raises(IntegrityError, match="needs a database without executions"), importing():
        pass


def test_nor_may_there_have_been_any(execution: Execution) -> None:
    execution.delete()
    with pytest.raises(IntegrityError, match="whose status_log has its first row alone"), importing():
        pass


def test_until_the_snapshot_nothing_but_the_import_changes_executions(owner: User, script: Script) -> None:
    with importing():
        old_row(NOON, None)
        one = load(owner, script)
        for change in (one.delete, lambda: load(owner, script)):
            with pytest.raises(IntegrityError), attributed_to(permission=""):
                change()
        StatusLog.objects.append_snapshot(source="import")
    assert first_fault() is None


def test_once_the_ledger_has_begun_what_is_imported_is_logged(loaded: Execution) -> None:
    with attributed_to(source="import", permission="import"):
        load(loaded.user, loaded.script)
    row = StatusLog.objects.newest()
    assert (row.status_from, row.status_to, row.executions_failed) == (None, "FAILED", 2)
    assert first_fault() is None


@pytest.mark.django_db(transaction=True)
def test_the_migration_is_reversible() -> None:
    with migrated_back(("status", "0005_remove_periodic_task")):
        ExecutionFactory(status=Status.FINISHED)
        with pytest.raises(IntegrityError, match="append-only"):
            StatusLog.objects.all().delete()
    with pytest.raises(IntegrityError, match="needs a database"), importing():
        pass
    assert first_fault() is None
