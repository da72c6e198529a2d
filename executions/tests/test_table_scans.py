"""A change never scans a whole table, so that its cost does not grow with the number of executions."""

from collections.abc import Iterator

import pytest
from django.db import connection

from executions.models import Execution
from status.states import Status

from .factories import ExecutionFactory

TABLES = ("status_log", "executions_execution")


def rows_scanned(table: str) -> int:
    """How many rows of the table sequential scans have read up to now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = %s", [table])
        return int(cursor.fetchone()[0])


@pytest.fixture(autouse=True)
def not_analyzed(transactional_db: None) -> Iterator[None]:
    """Keep autovacuum from analyzing: the planner would then rightly scan tables of few pages."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        yield
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", TABLES)
def test_no_table_is_scanned_even_if_it_was_empty_at_first(table: str) -> None:
    first = ExecutionFactory()
    first.update_status(Status.RUNNING)
    before = rows_scanned(table)
    others = (Execution(script=first.script, user=first.user) for _ in range(200))
    for execution in Execution.objects.bulk_create(others):
        execution.update_status(Status.RUNNING)
        execution.cancel()
    first.delete()
    assert rows_scanned(table) == before


@pytest.mark.django_db(transaction=True)
def test_many_changes_do_not_scan_the_log_even_if_there_were_few_at_first() -> None:
    """A session plans the trigger's statements once, when there may be far fewer rows than later."""
    few = ExecutionFactory.create_batch(2)
    Execution.objects.update_status(Status.RUNNING)
    before = rows_scanned("status_log")
    Execution.objects.bulk_create(Execution(script=few[0].script, user=few[0].user) for _ in range(3000))
    assert Execution.objects.update_status(Status.READY) == 3002
    assert rows_scanned("status_log") == before
