"""What migrations of busy tables need: locks that let others pass, and SQL that is kept in files."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import OperationalError, transaction
from django.db.migrations.operations import RunPython
from psycopg.errors import LockNotAvailable

TRY = 0.4  # seconds that one attempt waits; whoever comes after it waits as long
PAUSE = 0.6  # seconds between two attempts, in which the others pass
PATIENCE = 120.0  # seconds


def lock_table(schema_editor: Any, table: str, mode: str) -> None:
    """Lock the table until the migration's transaction ends, in short attempts.

    Raises:
        CommandError: others have held it for longer than ``PATIENCE``; nothing has been changed.
    """
    connection = schema_editor.connection
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with transaction.atomic(connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {int(TRY * 1000)}")
                cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
                return
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        if time.monotonic() > deadline:
            raise CommandError(
                f"The table {table} has been in use for {PATIENCE:.0f} s, by {_holders(connection, table)}. "
                "This migration has changed nothing; run migrate again later."
            )
        time.sleep(PAUSE)


def _holders(connection: Any, table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(DISTINCT format('process %%s (%%s)', pid, application_name), ', ')"
            " FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()",
            [table],
        )
        return str(cursor.fetchone()[0] or "others")


class LockTable(RunPython):
    """The first operation of a migration: what follows has its lock already and waits for nobody."""

    def __init__(self, table: str, mode: str) -> None:
        def lock(apps: Any, schema_editor: Any) -> None:
            lock_table(schema_editor, table, mode)

        super().__init__(lock, lock)


def sql_file(migration: str, name: str) -> str:
    """The SQL beside a migration: ``sql_file(__file__, "0004_ledger.sql")``."""
    return (Path(migration).parent / "sql" / name).read_text(encoding="utf-8")
