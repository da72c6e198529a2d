"""The database as it was at one moment, for as long as it takes to read it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from status.models import StatusLog

# A reader that reads nothing for so long is cut off: its transaction keeps dead rows from being cleaned up.
MOST_IDLE = timedelta(minutes=2)
APPLICATION_NAME = "gef snapshot"

Rows = Sequence[tuple[Any, ...]]


class Snapshot:
    """A read-only transaction, over a connection of its own: it outlives the view, and ends with it.

    Any thread may use it, one at a time.
    """

    def __init__(self) -> None:
        self._connection = connection.copy()
        self._connection.settings_dict["OPTIONS"]["application_name"] = APPLICATION_NAME
        self._connection.inc_thread_sharing()
        self._connection.set_autocommit(False)
        with self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{MOST_IDLE.total_seconds()}s'")

    def position(self) -> int:
        """The id of the ledger's newest row: every row up to it is in the snapshot, and none after it."""
        newest = StatusLog.objects.order_by("-id").values_list("id")[:1]
        return next((log_id for rows in self.read(newest, 1) for (log_id,) in rows), 0)

    def read(self, rows: QuerySet[Any, Any], at_once: int) -> Iterator[Rows]:
        """What a ``values_list`` selects, so many rows at once, as the database driver gives them."""
        try:
            sql, params = rows.query.sql_with_params()
        except EmptyResultSet:
            return
        with self._connection.chunked_cursor() as cursor:
            cursor.execute(sql, params)
            while batch := cursor.fetchmany(at_once):
                yield batch

    def close(self) -> None:
        self._connection.close()
