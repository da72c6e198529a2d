"""The SQL that changes statuses; the triggers of the database write the status log (see docs/ledger.md)."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections

from gef_project.common.attribution import attributed_to
from status.exceptions import UnknownStatus
from status.models import StatusLog
from status.states import TERMINAL, Status, in_order

from .autocommit import CommitsItself, preparing_cursor

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import Field

    from gef_project.accounts.models import User

# What the database lets a transaction do to a status; see status/migrations/sql/0004_ledger.sql.
TRANSITION, REPAIR = "transition", "repair"

_LOG_FIELDS = [field.attname for field in StatusLog._meta.concrete_fields]  # also the names of its columns

_UPDATE_ONE = f"""
    SELECT {", ".join(f"(logged).{name}" for name in _LOG_FIELDS)}, new_start, new_end, stored_progress
    FROM update_execution_status(%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

_TERMINAL = ", ".join(f"'{status}'" for status in in_order(TERMINAL))

# What update_execution_status does, for many. A change without a value leaves the column as it is.
_UPDATE_MANY = f"""
    UPDATE executions_execution AS execution SET
        status = coalesce(change.status_to, execution.status),
        started_at = CASE
            WHEN change.status_to = 'RUNNING' THEN greatest(statement_timestamp(), execution.start_date)
            WHEN change.status_to IN ('PENDING', 'READY') THEN NULL
            ELSE execution.started_at
        END,
        end_date = CASE WHEN change.status_to IN ({_TERMINAL})
            THEN greatest(statement_timestamp(), execution.start_date, execution.started_at)
            ELSE execution.end_date
        END,
        progress = coalesce(
            change.progress, CASE WHEN change.status_to IN ({_TERMINAL}) THEN 100 END, execution.progress
        ),
        results = coalesce(change.results, execution.results)
    FROM ({{changes}}) AS change WHERE execution.id = change.id
"""

# Rows are locked in the order of their keys, by everybody: so nobody deadlocks.
_SAME_CHANGE = (
    "SELECT pk AS id, %s::text AS status_to, %s::smallint AS progress, %s::json AS results FROM ({})"
)
_UPDATE_ALL = f"""
    WITH changed AS ({_UPDATE_MANY.format(changes=_SAME_CHANGE + " AS locked")} RETURNING execution.id)
    SELECT count(*), array_agg(id) FILTER (WHERE %s) FROM changed
"""
_UPDATE_EACH = _UPDATE_MANY.format(
    changes="SELECT * FROM unnest(%s::uuid[], %s::text[], %s::smallint[], %s::json[])"
    " AS given (id, status_to, progress, results)"
)


class Attribution(NamedTuple):
    """Who changes a status, by what, and why."""

    actor: "User | None" = None
    source: str = ""
    reason: str = ""


class Change(NamedTuple):
    """New values of an execution's columns; None: the column stays as it is."""

    execution_id: UUID
    status: Status | None = None
    progress: int | None = None
    results: Any = None


class Stored(NamedTuple):
    """What a single change of a status has written."""

    log: StatusLog
    started_at: "datetime | None"
    end_date: "datetime | None"
    progress: int


def known_status(value: str) -> Status:
    """
    Raises:
        UnknownStatus
    """
    try:
        return Status(value)
    except ValueError:
        raise UnknownStatus(value) from None


def update_one(
    change: Change, expected: str, attribution: Attribution, permission: str = TRANSITION
) -> Stored | None:
    """Change the status of one execution, if it is ``expected``; a transaction of its own outside of any.

    Returns:
        None if it is not, and nothing has changed.
    """
    actor, source, reason = attribution
    database = connections[DEFAULT_DB_ALIAS]  # itself: each look through ``connection`` costs a microsecond
    values = [change.execution_id, expected, change.status, *_values(change)]
    values += [actor.pk if actor else None, source, reason, permission]
    cursor = preparing_cursor(database)
    with CommitsItself(database):
        cursor.execute(_UPDATE_ONE, values)
        row = cursor.fetchone()
    if row[0] is None:
        return None
    size = len(_LOG_FIELDS)
    return Stored(StatusLog.from_db(database.alias, _LOG_FIELDS, row[:size]), *row[size:])


def update_all(
    locked: str, params: Iterable[Any], change: Change, attribution: Attribution
) -> tuple[int, list[UUID]]:
    """Make the same change to the executions whose ``pk`` the query ``locked`` selects and locks.

    Its ``execution_id`` does not matter. Inside a transaction.

    Returns:
        How many there are, and the ids of those that have ended by it.
    """
    values = [change.status, *_values(change), *params, change.status in TERMINAL]
    permitted = attributed_to(*attribution, permission=TRANSITION, savepoint=False)
    with permitted, connection.cursor() as cursor:
        cursor.execute(_UPDATE_ALL.format(locked), values)
        changed, ended = cursor.fetchone()
    return changed, ended or []


def update_each(changes: Sequence[Change], attribution: Attribution) -> None:
    """Make changes that differ from row to row, one of a row at most.

    The caller holds the rows' locks, and knows that the changes are legal. Inside a transaction.
    """
    columns: list[Any] = [
        [change.execution_id for change in changes],
        [change.status for change in changes],
        *map(list, zip(*map(_values, changes), strict=True)),
    ]
    permitted = attributed_to(*attribution, permission=TRANSITION, savepoint=False)
    with permitted, connection.cursor() as cursor:
        cursor.execute(_UPDATE_EACH, columns)


def _values(change: Change) -> list[Any]:
    """Progress and results as the driver takes them."""
    progress, results = _fields()
    return [
        progress.get_db_prep_save(change.progress, connection),
        results.get_db_prep_save(change.results, connection),
    ]


@cache
def _fields() -> "tuple[Field[Any, Any], Field[Any, Any]]":
    fields = {field.name: field for field in apps.get_model("executions", "Execution")._meta.concrete_fields}
    return fields["progress"], fields["results"]
