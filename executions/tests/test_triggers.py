"""What the triggers refuse, whoever tries; the error names the method to use."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, NotSupportedError, connection, transaction

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from status.models import StatusLog
from status.states import Status
from status.tests.ledger_builders import execute_without_triggers
from status.verification import first_fault

from .factories import ExecutionFactory

METHOD = "Execution.update_status"


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


def bulk_create_that_updates(execution: Execution) -> None:
    execution.status = Status.RUNNING
    Execution.objects.bulk_create(
        [execution], update_conflicts=True, unique_fields=["id"], update_fields=["status"]
    )


def raw_sql(execution: Execution) -> None:
    sql("UPDATE executions_execution SET status = 'RUNNING' WHERE id = %s", execution.pk)


def merge(execution: Execution) -> None:
    sql(
        "MERGE INTO executions_execution AS e USING (SELECT) AS nothing ON e.id = %s"
        " WHEN MATCHED THEN UPDATE SET status = 'RUNNING'",
        execution.pk,
    )


def upsert(execution: Execution) -> None:
    sql(
        "INSERT INTO executions_execution (id, script_id, user_id, params, results, status, progress, worker)"
        " SELECT id, script_id, user_id, params, results, status, progress, worker"
        " FROM executions_execution WHERE id = %s ON CONFLICT (id) DO UPDATE SET status = 'RUNNING'",
        execution.pk,
    )


def view(execution: Execution) -> None:
    sql("CREATE TEMPORARY VIEW seen AS SELECT * FROM executions_execution")
    sql("UPDATE seen SET status = 'RUNNING' WHERE id = %s", execution.pk)


CHANGES = [save, queryset_update, bulk_update, bulk_create_that_updates, raw_sql, merge, upsert, view]


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_only_the_methods_change_a_status(change: Callable[[Execution], None]) -> None:
    execution = ExecutionFactory()
    newest = StatusLog.objects.newest()
    with pytest.raises(IntegrityError, match=METHOD), transaction.atomic():
        change(execution)
    assert Execution.objects.get().status == Status.PENDING
    assert StatusLog.objects.newest() == newest
    assert first_fault() is None


@pytest.mark.django_db
def test_a_stale_instance_cannot_restore_its_status() -> None:
    """RUNNING → READY would be legal, but ``save()`` for another field must not do it."""
    execution = ExecutionFactory(status=Status.READY)
    stale = Execution.objects.get()
    execution.update_status(Status.RUNNING)
    stale.worker = "elsewhere"
    with pytest.raises(IntegrityError, match=METHOD), transaction.atomic():
        stale.save()
    stale.save(update_fields=["worker"])
    stored = Execution.objects.get()
    assert (stored.status, stored.worker) == (Status.RUNNING, "elsewhere")


@pytest.mark.django_db
def test_the_permission_ends_with_the_method() -> None:
    with transaction.atomic():
        one, other = ExecutionFactory(), ExecutionFactory()
        one.update_status(Status.RUNNING)
        Execution.objects.filter(pk=one.pk).cancel()
        Execution.objects.accept_reports([])
        with pytest.raises(IntegrityError, match=METHOD), transaction.atomic():
            raw_sql(other)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status_from", "status_to"),
    [
        (Status.PENDING, Status.RUNNING),
        (Status.READY, Status.PENDING),
        (None, Status.PENDING),
        (Status.PENDING, None),
        (None, None),
    ],
)
def test_only_the_database_writes_rows(
    execution: Execution, status_from: Status | None, status_to: Status | None
) -> None:
    with pytest.raises(IntegrityError, match="The database itself"), transaction.atomic():
        StatusLog.objects.create(
            execution=execution if status_from or status_to else None,
            status_from=status_from,
            status_to=status_to,
            source="shell",
        )
    assert first_fault() is None


@pytest.mark.django_db
@pytest.mark.parametrize("status_to", [Status.PENDING, Status.RUNNING])
def test_an_illegal_transition_is_refused_by_the_database_too(status_to: Status) -> None:
    ended = ExecutionFactory(status=Status.FINISHED)
    with (
        pytest.raises(IntegrityError, match="cannot go from FINISHED"),
        attributed_to(permission="transition"),
    ):
        Execution.objects.filter(pk=ended.pk).update(status=status_to, end_date=None)


@pytest.mark.django_db
def test_an_execution_starts_as_pending(owner: User, execution: Execution) -> None:
    with pytest.raises(IntegrityError, match=METHOD), transaction.atomic():
        Execution.objects.create(user=owner, script=execution.script, status=Status.RUNNING)


@pytest.mark.django_db
def test_an_import_may_create_executions_that_have_ended(owner: User, execution: Execution) -> None:
    now = execution.start_date
    with attributed_to(owner, "import", permission="import"):
        Execution.objects.create(
            user=owner, script=execution.script, status=Status.FAILED, start_date=now, end_date=now
        )
    log = StatusLog.objects.newest()
    assert (log.status_from, log.status_to, log.source) == (None, Status.FAILED, "import")
    assert (log.executions_failed, log.executions_active) == (1, 1)
    assert first_fault() is None


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
        "DELETE FROM status_log",
        "SELECT set_config('status_log.pruning', 'on', true); DELETE FROM status_log",
        "SELECT set_config('status_log.pruning', 'import', true); DELETE FROM status_log",
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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_isolation_that_cannot_see_the_newest_row_is_refused(level: str) -> None:
    execution = ExecutionFactory()
    with pytest.raises(NotSupportedError, match="READ COMMITTED"), transaction.atomic():
        sql(f"SET TRANSACTION ISOLATION LEVEL {level}")
        execution.update_status(Status.RUNNING)


@pytest.mark.django_db(transaction=True)
def test_an_execution_without_rows_changes_like_any_other() -> None:
    """Like one that is older than the oldest row that is kept."""
    execution = ExecutionFactory()
    execute_without_triggers("DELETE FROM status_log WHERE execution_id = %s", [execution.pk])
    StatusLog.objects.append_snapshot(source="shell")
    assert execution.update_status(Status.RUNNING) is not None
    assert first_fault() is None


@pytest.mark.django_db
def test_a_snapshot_names_its_source(execution: Execution) -> None:
    with pytest.raises(IntegrityError, match="names its source"):
        StatusLog.objects.append_snapshot(source="")
