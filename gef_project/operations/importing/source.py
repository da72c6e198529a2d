"""The database of a Trends.Earth API, read at one moment."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import LiteralString, NamedTuple, Self, cast

import psycopg
from psycopg import sql

# The tables from which something is taken, and those without which it is another service's database.
TABLES = ["user", "script", "execution", "execution_log", "status_log"]
NEEDED = ["user", "script", "execution"]
# Schema versions and the like: nobody misses them.
IGNORED = ["alembic_version"]

_COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    JOIN information_schema.tables USING (table_catalog, table_schema, table_name)
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position
"""


class SourceError(Exception):
    """The source cannot be read, or is not what it should be; the message is one line for the operator."""


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise SourceError(f"The source: {' '.join(str(error).split())}.") from error


class Server(NamedTuple):
    """What the report says of the source."""

    database: str
    host: str
    version: str
    time_zone: str  # of a session of ours; that of the old service's role may be another


class Source:
    """One read-only transaction: whatever the old service writes meanwhile, all tables are of one moment.

    Args:
        time_zone: what its timestamps without a time zone are in, by its IANA name.
    """

    def __init__(self, connection: "psycopg.Connection", time_zone: str) -> None:
        self._connection = connection
        self._time_zone = time_zone
        [found] = self._rows(
            "SELECT current_database(), current_setting('server_version'), current_setting('TimeZone')"
        )
        self.server = Server(str(found[0]), connection.info.host, str(found[1]), str(found[2]))
        # Times come with their offset, whatever the role's settings are.
        connection.execute("SET LOCAL TimeZone = 'UTC'")
        connection.execute("SET LOCAL DateStyle = 'ISO, YMD'")
        connection.execute("SET LOCAL IntervalStyle = 'postgres'")
        self.columns: dict[str, dict[str, str]] = {}
        for table, column, data_type in self._rows(_COLUMNS):
            self.columns.setdefault(str(table), {})[str(column)] = str(data_type)
        if missing := [table for table in NEEDED if table not in self.columns]:
            raise SourceError(f"It is no Trends.Earth API's: it has no table {', '.join(missing)} in public.")

    @classmethod
    @contextmanager
    def open(cls, url: str, time_zone: str) -> Iterator[Self]:
        """Connect to the database.

        Raises:
            SourceError: it cannot be reached or read, or has not the tables.
        """
        with _translated_errors():
            connection = psycopg.connect(
                url, application_name="gef import", connect_timeout=10, client_encoding="utf8"
            )
        with closing(connection):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with _translated_errors():
                source = cls(connection, time_zone)
            yield source

    def count(self, table: str) -> int:
        """How many rows the table has; none if there is no such table."""
        if table not in self.columns:
            return 0
        [(number,)] = self._rows(sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(table)))
        return cast(int, number)

    def copy(self, table: str, columns: Mapping[str, str]) -> Iterator[bytes]:
        """The rows of the table, each in COPY's text format; absent columns are null.

        Args:
            columns: their names there and their types here; ``timestamptz`` is what a time becomes.
        """
        selected = sql.SQL(", ").join(self._column(table, name, kind) for name, kind in columns.items())
        query = sql.SQL("COPY (SELECT {} FROM public.{}) TO STDOUT").format(selected, sql.Identifier(table))
        with self._connection.cursor() as cursor, _translated_errors(), cursor.copy(query) as copy:
            for row in copy:
                yield bytes(row)

    def _column(self, table: str, name: str, kind: str) -> sql.Composable:
        data_type = self.columns[table].get(name)
        if data_type is None:
            return sql.SQL("NULL")
        if kind == "timestamptz" and data_type == "timestamp without time zone":
            zone = sql.Literal(self._time_zone)
            return sql.SQL("{} AT TIME ZONE {}").format(sql.Identifier(name), zone)
        return sql.Identifier(name)

    def unused_columns(self, table: str, used: Mapping[str, str]) -> dict[str, int]:
        """The columns that are not read, and in how many rows each has a value, if in any."""
        unused = [name for name in self.columns.get(table, {}) if name not in used]
        if not unused:
            return {}
        counts = sql.SQL(", ").join(sql.SQL("count({})").format(sql.Identifier(name)) for name in unused)
        [found] = self._rows(sql.SQL("SELECT {} FROM public.{}").format(counts, sql.Identifier(table)))
        return {name: cast(int, number) for name, number in zip(unused, found, strict=True) if number}

    def unused_tables(self) -> dict[str, int]:
        """The tables that are not read at all, with the number of their rows; empty ones are left out."""
        counts = {table: self.count(table) for table in self.columns if table not in [*TABLES, *IGNORED]}
        return {table: number for table, number in counts.items() if number}

    def _rows(self, query: LiteralString | sql.Composed) -> list[tuple[object, ...]]:
        with _translated_errors():
            return self._connection.execute(query).fetchall()
