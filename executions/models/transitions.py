"""The statements behind the door: each changes executions and writes their rows of the ledger at once."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.utils import timezone

from status.exceptions import UnknownStatus
from status.models import StatusLog
from status.sql import COUNTS
from status.states import ACTIVE, TERMINAL, Status, count_field, in_order, sources_of

from .autocommit import CommitsItself, preparing_cursor

if TYPE_CHECKING:
    from django.db.models import Field

    from gef_project.accounts.models import User

# Of a StatusLog; the names of its attributes are those of its columns.
_LOGGED = [field.attname for field in StatusLog._meta.concrete_fields]

_MOVE_ONE = f"""
    WITH moved AS (
        UPDATE executions_execution SET {{assignments}} WHERE id = %s AND status = %s RETURNING id
    )
    INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)
    SELECT id, %s, %s, %s, %s, %s FROM moved
    RETURNING {", ".join(_LOGGED)}
"""

# Lock, change and log, in one statement, so that nothing travels between the server and here. The first row
# gets its number and counts from the ledger, once all executions have moved: the sort waits for that. The
# others go on from it, and the guards prove them together: that is what 0 asks for. They come in the order of
# the indexes that they go into, not in that in which the executions lie on the disk.
_MOVE_ALL = f"""
    WITH moving AS (
        SELECT *, row_number() OVER so_far AS nth, {{left}}
        FROM ({{moving}}) AS locked WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)
    ),
    moved AS (
        UPDATE executions_execution AS execution SET {{assignments}}, moved_in = 0
        FROM moving WHERE execution.id = moving.pk
        RETURNING moving.*, execution.moves AS move
    ),
    first AS (
        INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)
        SELECT pk, status, %s, %s, %s, %s FROM moved ORDER BY nth LIMIT 1
        RETURNING *
    ),
    others AS (
        INSERT INTO status_log (id, timestamp, execution_id, move, together, status_from, status_to, actor_id,
            source, reason, {", ".join(COUNTS)}, executions_active)
        SELECT first.id + nth - 1, timestamp, pk, moved.move, true, moved.status, status_to, actor_id,
            source, reason, {{counts}}
        FROM first, moved WHERE nth > 1 ORDER BY nth
    )
    SELECT count(*), array_agg(pk) FILTER (WHERE %s) FROM moved
"""

# The same for changes that differ from row to row. The rows are locked already; where a change has no value,
# the row keeps its own. Only what changes its status is logged.
_CHANGE_EACH = """
    WITH changed AS (
        UPDATE executions_execution AS execution SET
            status = coalesce(change.status, execution.status),
            end_date = coalesce(change.end_date, execution.end_date),
            progress = coalesce(change.progress, execution.progress),
            results = coalesce(change.results, execution.results)
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::smallint[], %s::json[])
            WITH ORDINALITY
            AS change(id, status_from, status, end_date, progress, results, place)
        WHERE execution.id = change.id
        RETURNING change.*
    )
    INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)
    SELECT id, status_from, status, %s, %s, %s FROM changed WHERE status IS NOT NULL ORDER BY place
"""


class Change(NamedTuple):
    """New values of an execution's columns; with a ``status``, a move."""

    execution_id: UUID
    status_from: str
    columns: dict[str, Any]

    @property
    def moves(self) -> bool:
        return "status" in self.columns


class Note(NamedTuple):
    """Who moves executions, and why."""

    actor: "User | None" = None
    source: str = ""
    reason: str = ""

    def values(self) -> list[Any]:
        return [self.actor.pk if self.actor else None, self.source, self.reason]


def known_status(value: str) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise UnknownStatus(value) from None


def columns_of_move(status: Status, progress: int | None, results: Any) -> dict[str, Any]:
    """What changes in the row when an execution moves to ``status``."""
    columns: dict[str, Any] = {"status": status}
    if status in TERMINAL:
        columns |= {"end_date": timezone.now(), "progress": 100}
    return columns | columns_of_report(progress, results)


def columns_of_report(progress: int | None, results: Any) -> dict[str, Any]:
    report = {"progress": progress, "results": results}
    return {name: value for name, value in report.items() if value is not None}


def move_one(change: Change, note: Note) -> StatusLog | None:
    """Update the execution's status, and create its StatusLog.

    Returns:
        None, and nothing has changed, if it is not in ``change.status_from``.
    """
    database = connections[DEFAULT_DB_ALIAS]  # itself: each look through ``connection`` costs a microsecond
    status_to, values = change.columns["status"], _stored(change.columns)
    values += [change.execution_id, change.status_from, change.status_from, status_to, *note.values()]
    cursor = preparing_cursor(database)
    with CommitsItself(database):
        cursor.execute(_move_one(tuple(change.columns)), values)
        row = cursor.fetchone()
    return StatusLog.from_db(database.alias, _LOGGED, row) if row else None


@cache
def _move_one(names: tuple[str, ...]) -> str:
    return _MOVE_ONE.format(assignments=_assignments(names))


def move_all(
    moving: str, params: Iterable[Any], columns: dict[str, Any], note: Note
) -> tuple[int, list[UUID]]:
    """The same for the executions whose ``pk`` and ``status`` the query ``moving`` selects and locks.

    Returns:
        How many moved; and the ids of those that have ended by it.
    """
    status_to = columns["status"]
    left, counts = _counting(status_to)
    statement = _MOVE_ALL.format(
        moving=moving, assignments=_assignments(tuple(columns)), left=left, counts=counts
    )
    values = [*params, *_stored(columns), status_to, *note.values(), status_to in TERMINAL]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        moved, ended = cursor.fetchone()
    return moved, ended or []


@cache
def _counting(status_to: Status) -> tuple[str, str]:
    """For each source of that status, how many have left it so far; and the counts after so many moves."""
    sources = sources_of(status_to)
    left = ", ".join(
        f"count(*) FILTER (WHERE status = '{status}') OVER so_far AS {status}" for status in sources
    )
    counts = {status: f"first.{count_field(status)}" for status in Status}
    counts[status_to] += " + nth - 1"
    for status in sources:
        counts[status] += f" + (first.status_from = '{status}')::int - {status}"
    return left, ", ".join([*counts.values(), " + ".join(counts[status] for status in in_order(ACTIVE))])


def change_each(changes: Iterable[Change], note: Note) -> None:
    """Make changes that differ from row to row, one of a row at most.

    The caller holds the rows' locks, and knows that the changes are legal.
    """
    changes = list(changes)

    def column(name: str) -> list[Any]:
        field = _fields()[name]
        return [field.get_db_prep_save(change.columns.get(name), connection) for change in changes]

    with connection.cursor() as cursor:
        cursor.execute(
            _CHANGE_EACH,
            [
                [change.execution_id for change in changes],
                [change.status_from for change in changes],
                *map(column, ("status", "end_date", "progress", "results")),
                *note.values(),
            ],
        )


@cache
def _fields() -> "dict[str, Field[Any, Any]]":
    execution = apps.get_model("executions", "Execution")
    return {field.name: field for field in execution._meta.concrete_fields}


@cache
def _assignments(names: tuple[str, ...]) -> str:
    """The SET clause of an UPDATE of these columns."""
    return ", ".join(f'"{_fields()[name].column}" = %s' for name in names)


def _stored(columns: dict[str, Any]) -> list[Any]:
    """The parameters for :func:`_assignments`."""
    return [_fields()[name].get_db_prep_save(value, connection) for name, value in columns.items()]
