"""Status logs with chosen times, or with errors, that no public method can make."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from status.models import StatusLog

# Only a superuser may do that.
TRIGGERS_OFF = "SET session_replication_role = replica"
TRIGGERS_ON = "SET session_replication_role = origin"


def execute_without_triggers(statement: str, parameters: Sequence[Any] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS_OFF)
        cursor.execute(statement, parameters)
        cursor.execute(TRIGGERS_ON)


def set_times(times: Sequence[datetime]) -> list[StatusLog]:
    """Give each row its time; returns the rows, oldest first."""
    ids = list(StatusLog.objects.order_by("id").values_list("id", flat=True))
    assert len(ids) == len(times)
    execute_without_triggers(
        "UPDATE status_log SET timestamp = given.at FROM unnest(%s::bigint[], %s::timestamptz[])"
        " AS given (id, at) WHERE status_log.id = given.id",
        [ids, list(times)],
    )
    return list(StatusLog.objects.order_by("id"))


def begin_with_periodic_rows(counts: Sequence[dict[str, int]]) -> None:
    """Replace all rows by rows of the old periodic task with these counts, and a first snapshot."""
    execute_without_triggers("DELETE FROM status_log")
    for number, row in enumerate(counts, 1):
        columns = "".join(f", executions_{name}" for name in row)
        execute_without_triggers(
            f"INSERT INTO status_log (id, timestamp{columns}) VALUES (%s, now() {', %s' * len(row)})",
            [number, *row.values()],
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT append_status_snapshot(NULL, 'migration', '')")
