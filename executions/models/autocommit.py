"""How a single statement is sent: with its plan kept by the server, and as a transaction of its own."""

import threading
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format, TransactionStatus


class _Kept(threading.local):
    cursor: "psycopg.Cursor[Any] | None" = None


_kept = _Kept()


def prepared_cursor(database: BaseDatabaseWrapper) -> CursorWrapper:
    """Lets the server keep the plan of a statement; Django's own cursors put the values into its text.

    The thread keeps it as long as the connection, so do not close it: a new one has to find out anew how each
    column is read, which is a good part of what a move costs in this process.
    """
    cursor: Any = _kept.cursor
    if cursor is None or cursor.connection is not database.connection:
        cursor = _kept.cursor = psycopg.Cursor(database.connection)
        cursor.format = Format.BINARY
    return database.make_debug_cursor(cursor) if database.queries_logged else database.make_cursor(cursor)


class CommitWithStatement:
    """Let the statement commit as it ends, if it is the first in its ``atomic`` block, and that in none.

    The ledger's lock is then held for that statement alone, not until its answer has reached this process and
    a COMMIT has come back: all other writers wait meanwhile.
    """

    def __init__(self, database: BaseDatabaseWrapper) -> None:
        self.session = database.connection
        idle = self.session.pgconn.transaction_status == TransactionStatus.IDLE
        self.alone = idle and not database.savepoint_ids

    def __enter__(self) -> None:
        if self.alone:
            self.session.autocommit = True

    def __exit__(self, *error: object) -> None:
        if self.alone and not self.session.closed:
            self.session.autocommit = False
