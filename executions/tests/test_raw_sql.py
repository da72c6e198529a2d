"""Hand-written SQL that could falsify the ledger: each statement is refused or logged correctly."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from executions.models import Execution
from gef_project.common.attribution import attributed_to
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory
from .test_triggers import METHOD, raw_sql, sql

pytestmark = pytest.mark.django_db(transaction=True)

TO_READY = "UPDATE executions_execution SET status = 'READY' WHERE status = 'PENDING'"
FORGED = "INSERT INTO status_log (id, execution_id, status_from, status_to) VALUES (%s, %s, %s, %s)"


@contextmanager
def refused(message: str) -> Iterator[None]:
    """Assert that the block is refused, at its commit at the latest, and has changed nothing."""
    newest = StatusLog.objects.newest()
    before = list(Execution.objects.order_by("pk").values_list("pk", "status"))
    with pytest.raises(IntegrityError, match=message), transaction.atomic():
        yield
    assert StatusLog.objects.newest() == newest
    assert list(Execution.objects.order_by("pk").values_list("pk", "status")) == before
    assert first_fault() is None


def permitted() -> AbstractContextManager[None]:
    return attributed_to(source="shell", permission="transition")


@pytest.mark.parametrize(
    "statement",
    [
        "WITH one AS (UPDATE executions_execution SET status = 'READY'),"
        " other AS (UPDATE executions_execution SET status = 'RUNNING') SELECT",
        "WITH gone AS (DELETE FROM executions_execution) UPDATE executions_execution SET status = 'READY'",
        "MERGE INTO executions_execution AS e USING (SELECT) AS nothing ON true"
        " WHEN MATCHED THEN UPDATE SET status = 'RUNNING'",
        "INSERT INTO executions_execution (id, script_id, user_id, params, results, status, progress, worker)"
        " SELECT chosen.id, script_id, user_id, params, results, status, progress, worker"
        " FROM executions_execution, unnest(ARRAY[executions_execution.id, gen_random_uuid()]) AS chosen(id)"
        " ON CONFLICT (id) DO UPDATE SET status = 'READY'",
    ],
    ids=["the same ones twice", "changed and deleted", "merge", "upsert"],
)
def test_with_permission_every_statement_is_logged_correctly(statement: str) -> None:
    for _ in range(3):
        ExecutionFactory()
    with permitted():
        sql(statement)
    assert first_fault() is None


def test_rows_of_several_statements_have_the_right_status_from() -> None:
    execution = ExecutionFactory()
    with permitted():
        sql(TO_READY)
        sql("UPDATE executions_execution SET status = 'RUNNING'")
        sql("UPDATE executions_execution SET status = 'READY'")
    rows = StatusLog.objects.filter(execution=execution).order_by("id")
    assert list(rows.values_list("status_from", "status_to")) == [
        (None, "PENDING"),
        ("PENDING", "READY"),
        ("READY", "RUNNING"),
        ("RUNNING", "READY"),
    ]


@pytest.mark.parametrize(
    "shadow", ["TABLE status_log AS TABLE public.status_log", "VIEW status_log AS SELECT 1"]
)
def test_temporary_tables_of_the_same_name_are_ignored(shadow: str) -> None:
    execution = ExecutionFactory()
    newest = StatusLog.objects.newest()
    sql(f"CREATE TEMPORARY {shadow}")
    try:
        with permitted():
            raw_sql(execution)
    finally:
        connection.close()
    assert StatusLog.objects.newest().pk == newest.pk + 1
    assert first_fault() is None


def test_a_snapshot_after_the_change_of_its_own_statement_is_refused() -> None:
    ExecutionFactory()
    with refused("statement of its own"), permitted():
        sql(
            f"WITH changed AS ({TO_READY} RETURNING id)"
            " SELECT append_status_snapshot(NULL, 'shell', '') FROM changed"
        )


def test_a_snapshot_before_the_change_of_its_own_statement_is_correct() -> None:
    ExecutionFactory()
    with permitted():
        sql(
            "WITH counted AS MATERIALIZED (SELECT append_status_snapshot(NULL, 'shell', '')),"
            f" changed AS ({TO_READY} RETURNING id) SELECT * FROM counted"
        )
    snapshot, change = StatusLog.objects.order_by("-id")[:2][::-1]
    assert (snapshot.executions_pending, change.executions_ready) == (1, 1)
    assert first_fault() is None


def test_changes_after_a_snapshot_of_the_same_transaction_are_correct() -> None:
    execution = ExecutionFactory()
    with transaction.atomic():
        StatusLog.objects.append_snapshot(source="shell")
        execution.update_status(Status.RUNNING)
        execution.delete()
    assert first_fault() is None


@pytest.mark.parametrize("setting", ["", "SELECT set_config('status_log.writing', 'on', true);"])
def test_a_trigger_on_another_table_cannot_forge_a_creation(setting: str) -> None:
    sql("CREATE TABLE callers (id uuid)")
    try:
        sql(
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" {setting.replace('SELECT', 'PERFORM')} INSERT INTO status_log (id, execution_id, status_to)"
            " VALUES ((SELECT max(id) + 1 FROM status_log), NEW.id, 'PENDING'); RETURN NEW; END $$"
        )
        sql("CREATE TRIGGER forge AFTER INSERT ON callers FOR EACH ROW EXECUTE FUNCTION forge()")
        with refused("The database itself|just been created"):
            sql("INSERT INTO callers VALUES (%s)", uuid4())
    finally:
        sql("DROP TABLE callers; DROP FUNCTION IF EXISTS forge")


def test_the_function_that_appends_rows_works_for_the_triggers_only() -> None:
    execution = ExecutionFactory()
    with refused("The database itself"):
        sql("SELECT append_status_changes(ARRAY[%s::uuid], ARRAY['PENDING'], ARRAY['READY'])", execution.pk)


def test_a_deletion_of_an_existing_execution_cannot_be_forged() -> None:
    execution = ExecutionFactory()
    with refused("has just been created or deleted"):
        sql("SELECT set_config('status_log.writing', 'on', true)")
        sql(FORGED, StatusLog.objects.newest().pk + 1, execution.pk, "PENDING", None)


@pytest.fixture
def plain_role() -> Iterator[str]:
    """A role that may read and write rows, and nothing else."""
    role = "gef_test_plain"
    sql(f"DROP ROLE IF EXISTS {role}")
    sql(f"CREATE ROLE {role}")
    sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    yield role
    connection.close()
    sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_that_may_only_write_rows_can_use_the_methods(plain_role: str) -> None:
    execution = ExecutionFactory()
    sql(f"SET ROLE {plain_role}")
    execution.update_status(Status.RUNNING)
    Execution.objects.filter(pk=execution.pk).cancel(reason="enough")
    ExecutionFactory(user=execution.user, script=execution.script).delete()
    with refused(METHOD):
        sql("UPDATE executions_execution SET status = 'FAILED'")
    with refused("The database itself"):
        sql(FORGED, StatusLog.objects.newest().pk + 1, execution.pk, "CANCELLED", "FAILED")
    for statement in ("TRUNCATE status_log", "ALTER TABLE status_log DISABLE TRIGGER ALL"):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            sql(statement)
    assert first_fault() is None
