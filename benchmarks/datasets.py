"""Databases of executions that are filled without triggers, and a snapshot with their counts."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from typing import Any
from uuid import UUID

import pgtrigger
from django.core.management import call_command
from django.db import connection, connections

from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.models import StatusLog

PREFIX = "gef_bench_"
TEMPLATE = PREFIX + "template"
HOME = "postgres"  # the database to be connected to while others are created and dropped
MAX_ACTIVE = 20_000
CHANGED = 4_000  # of the active ones are changed: so many that hardly one is changed twice
EMAIL = "bench@example.org"

_FILL = """
    INSERT INTO executions_execution (id, script_id, user_id, params, results, status, progress,
        start_date, end_date, notified_at, worker)
    SELECT md5(nth::text)::uuid, %(script)s, %(user)s, '{"year": 2020, "area": [8.2, 46.8]}', '{}',
        CASE WHEN active THEN 'READY' ELSE 'FINISHED' END, CASE WHEN active THEN 0 ELSE 100 END, started,
        CASE WHEN NOT active THEN started + interval '1 hour' END,
        CASE WHEN NOT active THEN started + interval '1 hour' END, ''
    FROM (
        SELECT nth, (nth - 1) %% %(step)s = 0 AND (nth - 1) / %(step)s < %(active)s AS active,
            now() - interval '1 year' + nth * (interval '1 year' / %(count)s) AS started
        FROM generate_series(1, %(count)s) AS nth
    ) AS numbered ORDER BY nth
"""


@dataclass(frozen=True)
class Dataset:
    """A database of executions: ``active`` of them, evenly among the others, are READY, the rest FINISHED."""

    executions: int
    active: int
    with_triggers: bool

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.executions}_{self.active}{'' if self.with_triggers else '_without_triggers'}"

    def own_numbers(self, number: int, processes: int) -> list[int]:
        """Which of the active executions only this process changes, in a random order."""
        own = range(number, self.active, processes)
        return random.Random(number).sample(own, min(CHANGED // processes, len(own)))

    def own_keys(self, number: int, processes: int) -> list[UUID]:
        step = self.executions // self.active
        return [key_of(active * step + 1) for active in self.own_numbers(number, processes)]


def key_of(nth: int) -> UUID:
    """The id of the ``nth`` execution; as random as any, but known."""
    return UUID(md5(str(nth).encode()).hexdigest())


def build_dataset(executions: int, active: int = MAX_ACTIVE, *, with_triggers: bool = True) -> Dataset:
    """Connect to such a database, which is created unless an earlier run has kept it."""
    database = Dataset(executions, min(active, executions), with_triggers)
    if not ensure_database(database.name):
        return database
    with bulk(Execution._meta.db_table) as cursor:
        parameters = {"script": Script.objects.get().pk, "user": User.objects.get().pk}
        step = database.executions // database.active
        cursor.execute(_FILL, {**parameters, "count": executions, "active": database.active, "step": step})
    StatusLog.objects.append_snapshot(source="migration", reason="Filled in bulk.")
    if not with_triggers:
        for model in (Execution, StatusLog):
            execute(f"ALTER TABLE {model._meta.db_table} DISABLE TRIGGER USER")
    settle()
    return database


def copy_into(models: Iterable[type[Any]]) -> None:
    """Copy the executions into the tables of these models."""
    for model in models:
        if model.objects.exists():
            continue
        columns = ["user_id", "params", "results", "status", "progress", "start_date", "end_date"]
        if model._meta.pk.get_internal_type() == "UUIDField":
            columns.append("id")
        names, table = ", ".join(columns), model._meta.db_table
        with bulk(table) as cursor:
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM executions_execution")
    settle()


def ensure_database(name: str) -> bool:
    """Connect to a migrated database of that name; returns whether it is new."""
    use(HOME)
    if missing := not _exists(name):
        if not _exists(TEMPLATE):
            _make_template()
        execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    use(name)
    if not missing:
        call_command("migrate", verbosity=0)
    return missing


def drop_all() -> None:
    use(HOME)
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [PREFIX + "%"])
        for (name,) in cursor.fetchall():
            execute(f"DROP DATABASE {name}")


def use(name: str) -> None:
    """Connect this process, and those forked from it, to that database from now on."""
    connections.close_all()
    connection.settings_dict["NAME"] = name


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def settle() -> None:
    """Do now what the server would otherwise do in the background."""
    execute("VACUUM (ANALYZE)")
    execute("CHECKPOINT")


@contextmanager
def bulk(table: str) -> Iterator[Any]:
    """A cursor without triggers; the indexes of the table are built at the end of the block."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'; SET work_mem = '512MB'")
        cursor.execute(f"UPDATE pg_index SET indisready = false WHERE indrelid = '{table}'::regclass")
        yield cursor
        cursor.execute(f"REINDEX TABLE {table}")
    connections.close_all()  # its settings end with it


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def _make_template() -> None:
    execute(f"CREATE DATABASE {TEMPLATE}")
    use(TEMPLATE)
    call_command("migrate", verbosity=0)
    # The tables of the rivals, which refer to ours, and pghistory's triggers.
    call_command("migrate", run_syncdb=True, verbosity=0)
    pgtrigger.install()
    Script.objects.create(slug="bench", name="Bench", command=["true"])
    User.objects.create_superuser(EMAIL)
    use(HOME)
