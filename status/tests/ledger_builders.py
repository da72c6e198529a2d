"""Ledgers with times of their own, for tests of what is read from them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from status.models import StatusLog

# Only a superuser's session gets past the guards.
PAST_THE_GUARDS = "SET session_replication_role = replica"
BEHIND_THEM = "SET session_replication_role = origin"


def execute_without_triggers(statement: str, parameters: Sequence[Any] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PAST_THE_GUARDS)
        cursor.execute(statement, parameters)
        cursor.execute(BEHIND_THEM)


def set_times(moments: Sequence[datetime]) -> list[StatusLog]:
    """Give the rows these times, which must be as many as there are rows; the rows, oldest first."""
    ids = list(StatusLog.objects.order_by("id").values_list("id", flat=True))
    assert len(ids) == len(moments)
    execute_without_triggers(
        "UPDATE status_log SET timestamp = given.at FROM unnest(%s::bigint[], %s::timestamptz[])"
        " AS given (id, at) WHERE status_log.id = given.id",
        [ids, list(moments)],
    )
    return list(StatusLog.objects.order_by("id"))


def begin_with_periodic_rows(counts: Sequence[dict[str, int]]) -> None:
    """A ledger that begins after rows of the old periodic task with these counts."""
    execute_without_triggers("DELETE FROM status_log")
    for number, row in enumerate(counts, 1):
        columns = "".join(f", executions_{name}" for name in row)
        execute_without_triggers(
            f"INSERT INTO status_log (id, timestamp{columns}) VALUES (%s, now() {', %s' * len(row)})",
            [number, *row.values()],
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT append_status_snapshot(NULL, 'migration', '')")
