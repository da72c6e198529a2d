"""What the database refuses, whoever asks, and that the error names the right door."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, NotSupportedError, connection, transaction

from executions.models import Execution
from gef_project.accounts.models import User
from status.models import StatusLog
from status.states import Status
from status.tests.histories import behind_the_ledger
from status.verification import first_fault

from .factories import ExecutionFactory

DOOR = "Execution.update_status"


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def save(execution: Execution) -> None:
    execution.status = Status.RUNNING
    execution.save()


def queryset_update(execution: Execution) -> None:
    Execution.objects.filter(pk=execution.pk).update(status=Status.RUNNING)


def bulk_update(execution: Execution) -> None:
    execution.status = Status.RUNNING
    Execution.objects.bulk_update([execution], ["status"])


def raw_sql(execution: Execution) -> None:
    sql("UPDATE executions_execution SET status = 'RUNNING' WHERE id = %s", execution.pk)


def there_and_on(execution: Execution) -> None:
    raw_sql(execution)
    execution.update_status(Status.READY)


def moved_and_deleted(execution: Execution) -> None:
    raw_sql(execution)
    execution.delete()


def merge_into_one_row(execution: Execution) -> None:
    raw_sql(execution)
    sql("UPDATE executions_execution SET status = 'READY' WHERE id = %s", execution.pk)
    sql(
        "INSERT INTO status_log (execution_id, status_from, status_to) VALUES (%s, 'PENDING', 'READY')",
        execution.pk,
    )


def snapshot_in_between(execution: Execution) -> None:
    raw_sql(execution)
    StatusLog.objects.append_snapshot(source="shell")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change",
    [
        save,
        queryset_update,
        bulk_update,
        raw_sql,
        there_and_on,
        moved_and_deleted,
        merge_into_one_row,
        snapshot_in_between,
    ],
)
def test_a_change_without_its_row_is_refused(change: Callable[[Execution], None]) -> None:
    execution = ExecutionFactory()
    newest = StatusLog.objects.newest()
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        change(execution)
    assert Execution.objects.get().status == Status.PENDING
    assert StatusLog.objects.newest() == newest
    assert first_fault() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status_from", "status_to"),
    [
        (Status.PENDING, Status.RUNNING),  # it did not move
        (Status.READY, Status.PENDING),  # it was never there
        (Status.RUNNING, Status.RUNNING),
        (None, Status.PENDING),  # it was created before
        (Status.PENDING, None),  # it has not been deleted
    ],
)
def test_a_row_without_its_change_is_refused(
    execution: Execution, status_from: Status | None, status_to: Status | None
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        StatusLog.objects.create(execution=execution, status_from=status_from, status_to=status_to)
    assert first_fault() is None


@pytest.mark.django_db
def test_a_second_row_for_the_same_change_is_refused(execution: Execution) -> None:
    execution.update_status(Status.RUNNING)
    with pytest.raises(IntegrityError, match="one_row_per_move"), transaction.atomic():
        StatusLog.objects.create(execution=execution, status_from=Status.PENDING, status_to=Status.RUNNING)


@pytest.mark.django_db(transaction=True)
def test_a_later_row_for_the_same_change_is_refused() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    with pytest.raises(IntegrityError, match=DOOR):
        StatusLog.objects.create(execution=execution, status_from=Status.PENDING, status_to=Status.RUNNING)


@pytest.mark.django_db
def test_a_row_for_an_unknown_execution_is_refused() -> None:
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        StatusLog.objects.create(
            execution_id=uuid.uuid4(), status_from=Status.PENDING, status_to=Status.READY
        )


@pytest.mark.django_db
@pytest.mark.parametrize("status_to", [Status.PENDING, Status.RUNNING])
def test_an_illegal_move_is_refused_by_the_database_too(status_to: Status) -> None:
    ended = ExecutionFactory(status=Status.FINISHED)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        Execution.objects.filter(pk=ended.pk).update(status=status_to, end_date=None)


@pytest.mark.django_db
def test_an_execution_starts_as_pending(owner: User, execution: Execution) -> None:
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        Execution.objects.create(user=owner, script=execution.script, status=Status.RUNNING)


@pytest.mark.django_db
def test_the_id_of_an_execution_never_changes(execution: Execution) -> None:
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Execution.objects.update(id=uuid.uuid4())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE status_log SET reason = 'better'",
        "DELETE FROM status_log WHERE id = (SELECT max(id) FROM status_log)",
        "TRUNCATE status_log",
        "TRUNCATE executions_execution CASCADE",
        "TRUNCATE accounts_user CASCADE",
    ],
)
def test_history_cannot_be_rewritten(statement: str) -> None:
    execution = ExecutionFactory()
    with pytest.raises(IntegrityError, match="status_log"):
        sql(statement)
    assert StatusLog.objects.newest().execution == execution


@pytest.mark.django_db
def test_what_a_row_claims_about_counts_and_order_is_overruled(execution: Execution) -> None:
    before = StatusLog.objects.newest()
    Execution.objects.filter(pk=execution.pk).update(status=Status.READY)
    log = StatusLog.objects.create(
        id=before.id + 100,
        execution=execution,
        status_from=Status.PENDING,
        status_to=Status.READY,
        executions_ready=77,
    )
    assert (log.id, log.executions_ready) == (before.id + 1, 1)
    assert log.timestamp >= before.timestamp
    assert first_fault() is None


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_isolation_that_cannot_see_the_newest_row_is_refused() -> None:
    execution = ExecutionFactory()
    with pytest.raises(NotSupportedError, match="READ COMMITTED"), transaction.atomic():
        sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        execution.update_status(Status.RUNNING)


@pytest.mark.django_db
def test_no_setting_switches_a_guard_off(execution: Execution) -> None:
    sql("SET LOCAL pgtrigger.ignore = '{%s}'" % ",".join(guards()))  # noqa: UP031
    with pytest.raises(IntegrityError), transaction.atomic():
        sql("DELETE FROM status_log")


def guards() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        return [name for (name,) in cursor.fetchall()]


def older_than_the_log() -> Execution:
    """One whose rows in the log are gone, as for executions older than its oldest kept row."""
    execution = ExecutionFactory()
    behind_the_ledger("DELETE FROM status_log WHERE execution_id = %s", [execution.pk])
    StatusLog.objects.append_snapshot(source="shell")
    return execution


@pytest.mark.django_db(transaction=True)
def test_an_execution_older_than_the_log_moves_like_any_other() -> None:
    assert older_than_the_log().update_status(Status.RUNNING) is not None
    assert first_fault() is None


@pytest.mark.django_db(transaction=True)
def test_an_execution_older_than_the_log_moves_inside_savepoints() -> None:
    execution = older_than_the_log()
    with transaction.atomic():
        Execution.objects.filter(pk=execution.pk).update(progress=5)
        with transaction.atomic():
            execution.update_status(Status.RUNNING)
    assert first_fault() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status_from", [Status.READY, Status.RUNNING])
def test_an_execution_older_than_the_log_needs_its_change_too(status_from: Status) -> None:
    execution = older_than_the_log()
    with pytest.raises(IntegrityError, match=DOOR):
        StatusLog.objects.create(execution=execution, status_from=status_from, status_to=Status.PENDING)


@pytest.mark.django_db(transaction=True)
def test_an_execution_older_than_the_log_needs_its_true_status_from() -> None:
    execution = older_than_the_log()
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        raw_sql(execution)
        StatusLog.objects.create(execution=execution, status_from=Status.READY, status_to=Status.RUNNING)
