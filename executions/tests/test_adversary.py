"""Tricks of hand-written SQL, by who owns the tables: each is refused, or changes nothing."""

import pytest
from django.db import IntegrityError, connection, transaction

from executions.models import Execution
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory
from .test_guards import DOOR, raw_sql, sql

pytestmark = pytest.mark.django_db(transaction=True)

TO_RUNNING = "UPDATE executions_execution SET status = 'RUNNING'"
TO_READY = "UPDATE executions_execution SET status = 'READY'"
LOG = """
    INSERT INTO status_log (execution_id, status_from, status_to) SELECT id, %s, %s FROM executions_execution
"""


@pytest.mark.parametrize("first", [TO_RUNNING, f"{TO_RUNNING}, moves = 0", f"{TO_RUNNING}, moved_in = 1"])
def test_moves_there_and_back_need_their_own_rows(first: str) -> None:
    execution = ExecutionFactory(status=Status.READY)
    execution.update_status(Status.RUNNING)
    execution.update_status(Status.READY)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql(first)
        sql(TO_READY)


def test_moves_there_and_back_need_their_own_rows_in_one_transaction_too() -> None:
    execution = ExecutionFactory(status=Status.READY)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        execution.update_status(Status.RUNNING)
        execution.update_status(Status.READY)
        sql(TO_RUNNING)
        sql(TO_READY)


def test_who_says_where_a_move_came_from_says_the_truth() -> None:
    ExecutionFactory(status=Status.READY)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql(TO_RUNNING)
        sql(LOG, "PENDING", "RUNNING")


def test_moves_are_numbered_by_the_database() -> None:
    execution = ExecutionFactory(status=Status.READY)
    sql("UPDATE executions_execution SET moves = 7, moved_in = 7")
    stale = Execution.objects.get()
    execution.update_status(Status.RUNNING)
    stale.moves, stale.status = 7, Status.RUNNING
    stale.save()
    assert list(StatusLog.objects.order_by("id").values_list("move", flat=True)) == [None, 0, 1, 2]
    assert Execution.objects.get().moves == 2


def test_a_change_of_something_else_is_no_proof_of_a_move() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        execution.report(progress=5)
        StatusLog.objects.create(execution=execution, status_from=Status.READY, status_to=Status.RUNNING)


@pytest.mark.parametrize(
    "shadow", ["TABLE status_log AS TABLE public.status_log", "VIEW status_log AS SELECT 1"]
)
def test_what_a_session_calls_by_the_same_name_deceives_nobody(shadow: str) -> None:
    execution = ExecutionFactory()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY {shadow}")
    try:
        with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
            raw_sql(execution)
            if "TABLE" in shadow:
                sql(LOG, "PENDING", "RUNNING")
    finally:
        connection.close()
    assert Execution.objects.get().status == Status.PENDING
    assert first_fault() is None


def test_a_snapshot_in_the_middle_of_a_statement_is_refused() -> None:
    ExecutionFactory()
    newest = StatusLog.objects.newest()
    with pytest.raises(IntegrityError, match="statement of its own"):
        sql(
            f"WITH moved AS ({TO_READY} RETURNING id), counted AS ("
            "INSERT INTO status_log (source) SELECT 'shell' FROM moved RETURNING id)"
            " INSERT INTO status_log (execution_id, status_from, status_to)"
            " SELECT moved.id, 'PENDING', 'READY' FROM moved, counted"
        )
    assert StatusLog.objects.newest() == newest


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"])
def test_the_time_of_the_checks_opens_no_door(when: str) -> None:
    execution = ExecutionFactory()
    with pytest.raises(IntegrityError, match=DOOR), transaction.atomic():
        sql(f"SET CONSTRAINTS ALL {when}")
        raw_sql(execution)
        sql("SET CONSTRAINTS ALL DEFERRED")
