"""The steps of every table: copy it into a staging table, note what does not fit, insert what is taken.

Everything is set-based and in the database; Python only hands the rows of the source on.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import NOT_PROVIDED, Model

from .source import Source

ROWS_AT_ONCE = 1_000  # that are handed on
BATCH = 20_000  # rows a statement: bounds the memory that the triggers need for what they see

Progress = Callable[[int], object]


class Finding(NamedTuple):
    """Something in a row of the source that does not fit."""

    condition: str  # SQL
    text: str  # SQL: what it is, and what becomes of it
    taken: bool = True  # whether the row is taken all the same


class Table(NamedTuple):
    """What is read of a table of the source, and what becomes of it."""

    source: str
    columns: Mapping[str, str]  # the names there, the types here
    findings: list[Finding]
    from_: str = ""  # what is joined to the staging table, which is called ``old``

    @property
    def staging(self) -> str:
        return f"import_{self.source}"


def execute(query: str, parameters: Any = None) -> int:
    """Run a statement; how many rows it has changed."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return int(cursor.rowcount)


def stage(source: Source, table: Table, progress: Progress) -> None:
    """Copy the table of the source into its staging table, which lasts as long as the transaction."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
    execute(
        f"CREATE TEMPORARY TABLE {table.staging}"
        f" (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns}) ON COMMIT DROP"
    )
    if table.source in source.columns:
        names = ", ".join(f'"{name}"' for name in table.columns)
        with connection.cursor() as cursor, cursor.copy(f"COPY {table.staging} ({names}) FROM STDIN") as copy:
            rows = source.copy(table.source, table.columns)
            while some := list(islice(rows, ROWS_AT_ONCE)):
                copy.write(b"".join(some))
                progress(len(some))
    execute(f"ANALYZE {table.staging}")


def note_findings(table: Table) -> None:
    """List what does not fit, by one look at each row."""
    if not table.findings:
        return
    cases = ", ".join(f"({finding.condition}, {finding.text}, {finding.taken})" for finding in table.findings)
    execute(
        f"INSERT INTO import_finding SELECT '{table.source}', old.id::text, found.text, found.taken"
        f" FROM {table.staging} AS old {table.from_}"
        f" CROSS JOIN LATERAL (VALUES {cases}) AS found (applies, text, taken) WHERE found.applies"
    )


def insert(
    table: Table, model: type[Model], values: Mapping[str, str], progress: Progress, *, where: str = "true"
) -> int:
    """Insert the rows of the staging table into that of the model, in batches.

    Args:
        values: the SQL of each column. Others get the default of their field.

    Returns:
        The number of rows.
    """
    defaults = _defaults(model, values)
    columns = ", ".join(f'"{name}"' for name in [*values, *defaults])
    expressions = ", ".join([*values.values(), *["%s"] * len(defaults)])
    query = (
        f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {expressions}"
        f" FROM {table.staging} AS old {table.from_} WHERE {where} AND old.place > %s AND old.place <= %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(place), 0) FROM {table.staging}")
        [last] = cursor.fetchone()
    inserted = 0
    for first in range(0, last, BATCH):
        inserted += execute(query, [*defaults.values(), first, first + BATCH])
        progress(min(BATCH, last - first))
    return inserted


def _defaults(model: type[Model], values: Mapping[str, str]) -> dict[str, Any]:
    """What Django itself would insert into the other columns, where the database has no default."""
    return {
        field.column: field.get_db_prep_save(field.get_default(), connection)
        for field in model._meta.concrete_fields
        if field.column not in values
        and not field.null
        and not field.generated
        and field.db_default is NOT_PROVIDED
    }
