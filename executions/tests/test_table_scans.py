"""A change costs the same however many executions there are: it only looks things up."""

from collections.abc import Iterator

import pytest
from django.db import connection

from executions.models import Execution
from status.states import Status

from .factories import ExecutionFactory

TABLES = ("status_log", "executions_execution")


def rows_read_whole(table: str) -> int:
    """How many rows this database has read by going through the whole table, up to now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = %s", [table])
        return int(cursor.fetchone()[0])


@pytest.fixture(autouse=True)
def not_analyzed(transactional_db: None) -> Iterator[None]:
    """Of a table of few pages, once analyzed, the planner rightly knows that it is best read whole."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        yield
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", TABLES)
def test_no_table_is_read_whole_even_if_the_first_change_found_it_empty(table: str) -> None:
    first = ExecutionFactory()
    first.update_status(Status.RUNNING)
    before = rows_read_whole(table)
    others = (Execution(script=first.script, user=first.user) for _ in range(200))
    for execution in Execution.objects.bulk_create(others):
        execution.update_status(Status.RUNNING)
        execution.cancel()
    first.delete()
    assert rows_read_whole(table) == before


@pytest.mark.django_db(transaction=True)
def test_many_are_proved_by_what_is_new_even_if_there_were_few_at_first() -> None:
    """A session plans the proof once; of those that move, any number may be there the next time."""
    few = ExecutionFactory.create_batch(2)
    Execution.objects.update_status(Status.RUNNING)
    before = rows_read_whole("status_log")
    Execution.objects.bulk_create(Execution(script=few[0].script, user=few[0].user) for _ in range(3000))
    assert Execution.objects.update_status(Status.READY) == 3002
    assert rows_read_whole("status_log") == before
