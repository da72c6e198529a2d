"""Django's ``migrate``, one at a time: a second one waits for the first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.loader import MigrationLoader

LOCK = 5_764_816_170_911_003  # an advisory lock of the database
OURS = {"accounts", "executions", "operations", "status"}


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with self.only_one(options["database"]):
            self.refuse_unknown_migrations(options["database"])
            super().handle(*args, **options)

    @contextmanager
    def only_one(self, database: str) -> Iterator[None]:
        """Hold the lock in a transaction of a connection of its own: it works through a pooler, too."""
        connection = connections[database].copy()
        try:
            connection.set_autocommit(False)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
                if not cursor.fetchone()[0]:
                    self.stderr.write("Another migrate is at work on this database; waiting for it.")
                    cursor.execute("SET LOCAL lock_timeout = 0")
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            yield
        finally:
            connection.close()

    def refuse_unknown_migrations(self, database: str) -> None:
        """
        Raises:
            CommandError: the database is of a version that this code does not know.
        """
        loader = MigrationLoader(connections[database])
        unknown = sorted(
            f"{app}.{name}"
            for app, name in loader.applied_migrations
            if app in OURS and (app, name) not in loader.disk_migrations
        )
        if unknown:
            raise CommandError(
                f"This version does not know all migrations of this database ({', '.join(unknown)}): an "
                "unreleased or a newer version made it. Use that version, or a new database."
            )
