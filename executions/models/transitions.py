"""The SQL that changes statuses. The database's triggers write the status log: see docs/ledger.md."""

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

from .autocommit import CommitWithStatement, prepared_cursor

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import Field

    from gef_project.accounts.models import User

# What a statement may do to a status; the triggers in status/migrations/sql/0004_ledger.sql check it.
TRANSITION, REPAIR = "transition", "repair"

_LOG_FIELDS = [field.attname for field in StatusLog._meta.concrete_fields]  # also the names of its columns

_UPDATE_ONE = f"""
    SELECT {", ".join(f"(logged).{name}" for name in _LOG_FIELDS)}, new_start, new_end, stored_progress
    FROM update_execution_status(%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

_TERMINAL = ", ".join(f"'{status}'" for status in in_order(TERMINAL))

# What the SQL function update_execution_status does, for many rows. A NULL leaves the column as it is.
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

# Every writer locks rows in the order of their keys, so that none deadlock; MATERIALIZED locks each once.
_SAME_CHANGE = (
    "SELECT pk AS id, %s::text AS status_to, %s::smallint AS progress, %s::json AS results FROM locked"
)
_UPDATE_ALL = f"""
    WITH locked AS MATERIALIZED ({{}}),
        changed AS ({_UPDATE_MANY.format(changes=_SAME_CHANGE)} RETURNING execution.id)
    SELECT count(*), array_agg(id) FILTER (WHERE %s) FROM changed
"""
_UPDATE_EACH = _UPDATE_MANY.format(
    changes="SELECT * FROM unnest(%s::uuid[], %s::text[], %s::smallint[], %s::json[])"
    " AS given (id, status_to, progress, results)"
)


class Attribution(NamedTuple):
    """Who changes a status, through what, and why."""

    actor: "User | None" = None
    source: str = ""
    reason: str = ""


class Change(NamedTuple):
    """New values of an execution's columns; None leaves a column as it is."""

    execution_id: UUID
    status: Status | None = None
    progress: int | None = None
    results: Any = None


class UpdateResult(NamedTuple):
    """The new row of the status log, and the execution's columns as they are now."""

    log: StatusLog
    started_at: "datetime | None"
    end_date: "datetime | None"
    progress: int


def parse_status(value: str) -> Status:
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
) -> UpdateResult | None:
    """Change the status of one execution if it is ``expected``. Outside of a transaction it commits.

    Returns:
        None if the execution has another status; then nothing has changed.
    """
    actor, source, reason = attribution
    database = connections[DEFAULT_DB_ALIAS]  # the proxy ``connection`` would cost a microsecond each time
    values = [change.execution_id, expected, change.status, *_values(change)]
    values += [actor.pk if actor else None, source, reason, permission]
    cursor = prepared_cursor(database)
    with CommitWithStatement(database):
        cursor.execute(_UPDATE_ONE, values)
        row = cursor.fetchone()
    if row[0] is None:
        return None
    size = len(_LOG_FIELDS)
    return UpdateResult(StatusLog.from_db(database.alias, _LOG_FIELDS, row[:size]), *row[size:])


def update_all(
    locked: str, params: Iterable[Any], change: Change, attribution: Attribution
) -> tuple[int, list[UUID]]:
    """Make the same change to all executions whose ``pk`` the query ``locked`` selects and locks.

    Call it inside a transaction. The change's ``execution_id`` is ignored.

    Returns:
        How many executions have changed, and the ids of those that have ended by it.
    """
    values = [*params, change.status, *_values(change), change.status in TERMINAL]
    permitted = attributed_to(*attribution, permission=TRANSITION, savepoint=False)
    with permitted, connection.cursor() as cursor:
        cursor.execute(_UPDATE_ALL.format(locked), values)
        changed, ended = cursor.fetchone()
    return changed, ended or []


def update_each(changes: Sequence[Change], attribution: Attribution) -> None:
    """Make changes that differ from row to row, at most one for each row.

    Call it inside a transaction that has locked the rows, with changes that are legal.
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
    """Progress and results as database values."""
    progress, results = _fields()
    return [
        progress.get_db_prep_save(change.progress, connection),
        results.get_db_prep_save(change.results, connection),
    ]


@cache
def _fields() -> "tuple[Field[Any, Any], Field[Any, Any]]":
    fields = {field.name: field for field in apps.get_model("executions", "Execution")._meta.concrete_fields}
    return fields["progress"], fields["results"]
