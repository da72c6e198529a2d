"""Send one statement quickly: prepared on the server, and committed without a COMMIT of its own."""

import threading
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format, TransactionStatus


class _ThreadState(threading.local):
    cursor: "psycopg.Cursor[Any] | None" = None


_thread = _ThreadState()


def prepared_cursor(database: BaseDatabaseWrapper) -> CursorWrapper:
    """A cursor that prepares statements on the server; Django's own cursors put the values into the text.

    The thread reuses it for as long as the connection lives, so do not close it: a new cursor has to look up
    anew how each column is read, which is a good part of what a transition costs in this process.
    """
    cursor: Any = _thread.cursor
    if cursor is None or cursor.connection is not database.connection:
        cursor = _thread.cursor = psycopg.Cursor(database.connection)
        cursor.format = Format.BINARY
    return database.make_debug_cursor(cursor) if database.queries_logged else database.make_cursor(cursor)


class CommitWithStatement:
    """Commit together with the statement, if it is the first one of an outermost ``atomic`` block.

    The ledger's lock is then held for that statement alone. Otherwise it would be held until the answer has
    reached this process and a COMMIT has come back, and all other writers would wait for that long.
    """

    def __init__(self, database: BaseDatabaseWrapper) -> None:
        self.connection = database.connection
        idle = self.connection.pgconn.transaction_status == TransactionStatus.IDLE
        self.applies = idle and not database.savepoint_ids

    def __enter__(self) -> None:
        if self.applies:
            self.connection.autocommit = True

    def __exit__(self, *error: object) -> None:
        if self.applies and not self.connection.closed:
            self.connection.autocommit = False
