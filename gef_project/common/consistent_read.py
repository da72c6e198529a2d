"""Reading the database as it was at one time, for as long as the reading takes."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

# A reader that is idle for longer is cut off: its transaction keeps vacuum from removing dead rows.
MAX_IDLE = timedelta(minutes=2)
APPLICATION_NAME = "gef snapshot"

Rows = Sequence[tuple[Any, ...]]


class Snapshot:
    """A read-only transaction on a connection of its own, which may outlive the view.

    Any thread may use it, one at a time. Whoever makes it closes it.
    """

    def __init__(self) -> None:
        self._connection = connection.copy()
        self._connection.settings_dict["OPTIONS"]["application_name"] = APPLICATION_NAME
        self._connection.inc_thread_sharing()
        self._connection.set_autocommit(False)
        with self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{MAX_IDLE.total_seconds()}s'")

    def newest_id(self, rows: QuerySet[Any, Any]) -> int:
        """The highest id of these rows; 0 if there is none."""
        newest = rows.order_by("-id").values_list("id")[:1]
        return next((newest_id for batch in self.read(newest, 1) for (newest_id,) in batch), 0)

    def read(self, rows: QuerySet[Any, Any], at_once: int) -> Iterator[Rows]:
        """The rows of a ``values_list``, in batches of ``at_once``, as the database driver returns them."""
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
