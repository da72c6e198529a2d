"""Moves that are proved all at once: hand-written SQL gets no further with them than one by one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction

from executions.models import Execution
from status.models import StatusLog
from status.states import Status
from status.tests.histories import behind_the_ledger
from status.verification import first_fault

from .factories import ExecutionFactory
from .test_guards import DOOR, sql

pytestmark = pytest.mark.django_db

MOVE = "UPDATE executions_execution SET status = 'READY', moved_in = 0 WHERE status = 'PENDING'"
APPEND_FIRST = """
    INSERT INTO status_log (execution_id, status_from, status_to)
    SELECT id, 'PENDING', 'READY' FROM numbered WHERE nth = 1 RETURNING *
"""
STATEMENT = f"""
    WITH moved AS ({MOVE} RETURNING id, moves),
    numbered AS (SELECT *, row_number() OVER (ORDER BY id) AS nth FROM moved),
    first AS ({{first}})
    INSERT INTO status_log (together, {{columns}})
    SELECT true, {{values}} FROM first, numbered WHERE {{which}}
"""
TRUTH = {
    "id": "first.id + nth - 1",
    "timestamp": "first.timestamp",
    "execution_id": "numbered.id",
    "move": "moves",
    "status_from": "'PENDING'",
    "status_to": "'READY'",
    "executions_pending": "executions_pending - nth + 1",
    "executions_ready": "executions_ready + nth - 1",
    "executions_running": "executions_running",
    "executions_finished": "executions_finished",
    "executions_failed": "executions_failed",
    "executions_cancelled": "executions_cancelled",
    "executions_active": "executions_active",
}
LIES = {
    "a hole": {"id": "first.id + nth"},
    "far away": {"id": "first.id + nth + 1000"},
    "the past": {"timestamp": "first.timestamp - interval '1 second'"},
    "the future": {"timestamp": "first.timestamp + interval '1 second'"},
    "an unknown execution": {"execution_id": "gen_random_uuid()"},
    "an execution that did not move": {
        "execution_id": "(SELECT id FROM executions_execution WHERE status = 'RUNNING')",
    },
    "no execution": {"execution_id": "NULL"},
    "another move": {"move": "moves + 1"},
    "no move": {"move": "NULL"},
    "from elsewhere": {
        "status_from": "'RUNNING'",
        "executions_pending": "executions_pending",
        "executions_running": "executions_running - nth + 1",
        "executions_active": "executions_active",
    },
    "to elsewhere": {
        "status_to": "'FAILED'",
        "executions_ready": "executions_ready",
        "executions_failed": "executions_failed + nth - 1",
        "executions_active": "executions_active - nth + 1",
    },
    "a creation": {"status_from": "NULL", "executions_pending": "executions_pending"},
    "a deletion": {"status_to": "NULL", "executions_ready": "executions_ready"},
    "a count": {"executions_ready": "executions_ready + nth"},
    "another count": {"executions_cancelled": "executions_cancelled + 1"},
    "the sum": {"executions_active": "executions_active + 1"},
}


def log_together(
    lies: dict[str, str] | None = None, which: str = "nth > 1", first: str = APPEND_FIRST
) -> None:
    columns = TRUTH | (lies or {})
    sql(
        STATEMENT.format(
            first=first, columns=", ".join(columns), values=", ".join(columns.values()), which=which
        )
    )


@contextmanager
def refused(message: str) -> Iterator[None]:
    """Whatever happens inside is refused, by the time of its commit, and has changed nothing."""
    newest = StatusLog.objects.newest()
    with pytest.raises(IntegrityError, match=message), transaction.atomic():
        yield
        sql("SET CONSTRAINTS ALL IMMEDIATE")
    assert StatusLog.objects.newest() == newest
    assert Execution.objects.filter(status=Status.PENDING).count() == 3
    assert first_fault() is None


@pytest.fixture(autouse=True)
def pending(db: None) -> list[Execution]:
    ExecutionFactory(status=Status.RUNNING)
    return [ExecutionFactory() for _ in range(3)]


def test_the_rows_of_one_call_are_written_together() -> None:
    before = StatusLog.objects.newest().id
    assert Execution.objects.cancel() == 4
    rows = list(StatusLog.objects.after(before))
    assert [row.together for row in rows] == [False, True, True, True]
    assert len({row.timestamp for row in rows}) == 1
    assert not Execution.objects.filter(moved_in__gt=0).exists()


def test_who_tells_the_truth_may_write_together() -> None:
    log_together()
    assert StatusLog.objects.newest().executions_ready == 3
    assert first_fault() is None


@pytest.mark.parametrize("lies", LIES.values(), ids=LIES)
def test_rows_that_are_not_true_are_refused(lies: dict[str, str]) -> None:
    with refused(f"{DOOR}|one_row_per_move"):
        log_together(lies)


@pytest.mark.parametrize("which", ["nth > 2", "nth = 2", "false"])
def test_moves_without_their_rows_are_refused(which: str) -> None:
    with refused(DOOR):
        log_together(which=which)


@pytest.mark.parametrize(
    "statement",
    [
        MOVE,
        "MERGE INTO executions_execution AS e USING (SELECT) AS nothing ON e.status = 'PENDING'"
        " WHEN MATCHED THEN UPDATE SET status = 'READY', moved_in = 0",
        "INSERT INTO executions_execution SELECT * FROM executions_execution WHERE status = 'PENDING'"
        " ON CONFLICT (id) DO UPDATE SET status = 'READY', moved_in = 0",
        "CREATE VIEW executions AS SELECT * FROM executions_execution;"
        " UPDATE executions SET status = 'READY', moved_in = 0 WHERE status = 'PENDING'",
    ],
    ids=["update", "merge", "upsert", "view"],
)
def test_moves_without_any_row_are_refused_at_once(statement: str) -> None:
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql(statement)


def test_rows_do_not_go_on_from_an_earlier_statement() -> None:
    """It may have been somebody else's, and it may not be the newest by now."""
    with refused(DOOR):
        one_more = {"id": "first.id + nth", "executions_pending": "executions_pending - nth"}
        log_together(
            one_more | {"executions_ready": "executions_ready + nth"},
            which="true",
            first="SELECT * FROM status_log ORDER BY id DESC LIMIT 1",
        )


def test_a_move_has_one_row_together_or_alone() -> None:
    with refused("one_row_per_move"):
        log_together()
        sql(
            "INSERT INTO status_log (execution_id, status_from, status_to)"
            " SELECT id, 'PENDING', 'READY' FROM executions_execution WHERE status = 'READY'"
        )


def test_without_a_move_there_is_nothing_to_prove() -> None:
    before = list(Execution.objects.order_by("pk").values("moves", "moved_in", "last_move"))
    sql("UPDATE executions_execution SET moved_in = 0, moves = 9, last_move = 'PENDING>FAILED'")
    assert list(Execution.objects.order_by("pk").values("moves", "moved_in", "last_move")) == before


@pytest.mark.parametrize("mark", ["", ", moved_in = 0"])
def test_who_changes_the_status_after_the_guards_have_looked_is_found_out(mark: str) -> None:
    """A trigger of somebody else's, with a later name than theirs, on executions moved together before."""
    Execution.objects.update_status(Status.READY)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql(
            "CREATE FUNCTION sneak() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.status := 'RUNNING'; RETURN NEW; END $$"
        )
        sql("CREATE TRIGGER zz BEFORE UPDATE ON executions_execution FOR EACH ROW EXECUTE FUNCTION sneak()")
        sql(f"UPDATE executions_execution SET progress = 5{mark} WHERE status = 'READY'")
        sql("SET CONSTRAINTS ALL IMMEDIATE")


def test_what_changed_behind_the_ledger_does_not_move_on_with_others(pending: list[Execution]) -> None:
    behind_the_ledger("UPDATE executions_execution SET status = 'RUNNING' WHERE id = %s", [pending[0].pk])
    with pytest.raises(IntegrityError, match="behind the back"), transaction.atomic():
        Execution.objects.cancel()
        sql("SET CONSTRAINTS ALL IMMEDIATE")
    StatusLog.objects.append_snapshot(source="repair")
    assert Execution.objects.cancel() == 4
    assert first_fault() is None


def test_a_move_is_proved_alone_after_it_was_proved_together() -> None:
    Execution.objects.update_status(Status.RUNNING)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql("UPDATE executions_execution SET status = 'READY' WHERE status = 'RUNNING'")
        sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("SET CONSTRAINTS ALL DEFERRED")
    for execution in Execution.objects.all():
        execution.update_status(Status.READY)
    assert first_fault() is None


def test_a_proof_leaves_the_settings_of_the_transaction_alone(pending: list[Execution]) -> None:
    def settings() -> list[tuple[str, ...]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings ORDER BY name")
            return list(cursor.fetchall())

    before = settings()
    assert Execution.objects.update_status(Status.RUNNING) > 1
    pending[0].update_status(Status.READY)
    StatusLog.objects.append_snapshot(source="shell")
    Execution.objects.all().delete()
    assert settings() == before
