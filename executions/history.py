"""What happened to an execution, as far as the ledger's rows are kept: its moves, and what was forced on it.

A forced status is no move: the ledger has a snapshot for it, whose reason says of which execution it tells.
"""

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from status.models import StatusLog
from status.sources import Source
from status.states import TERMINAL, Status

if TYPE_CHECKING:
    from executions.models import Execution

_FORCED_FROM_TO = re.compile(r"Execution \S+ was forced from (\w+) to (\w+): ")


class Stay(NamedTuple):
    """The time that an execution spent in the status to which ``log`` took it."""

    log: StatusLog
    status_from: str | None
    status_to: str | None
    seconds: float | None  # None: it has ended there


def reason_of_forced(execution: "Execution", status_from: str, status_to: str, reason: str) -> str:
    """What the snapshot's row says; :func:`rows_of` finds it by that."""
    return f"{_about(execution)} from {status_from} to {status_to}: {reason}"


def _about(execution: "Execution") -> str:
    return f"Execution {execution.pk} was forced"


def rows_of(execution: "Execution", *select_related: str) -> QuerySet[StatusLog, Any]:
    """The ledger's rows of the execution, those of forced statuses too, in no order.

    There are few snapshots, and the ledger has an index of them.
    """
    rows = StatusLog.objects.select_related(*select_related) if select_related else StatusLog.objects.all()
    forced = rows.recounts().filter(source=Source.REPAIR, reason__startswith=_about(execution))
    return rows.filter(execution=execution).order_by().union(forced.order_by(), all=True)


def history_of(execution: "Execution") -> list[Stay]:
    """Every status that it had and for how long, oldest first, as far as the ledger's rows are kept."""
    rows = list(rows_of(execution).order_by("id"))
    stays = []
    for row, following in zip_longest(rows, rows[1:]):
        status_from, status_to = _move_of(row)
        end = following.timestamp if following else None if status_to in TERMINAL else timezone.now()
        seconds = max((end - row.timestamp).total_seconds(), 0) if end else None
        stays.append(Stay(row, status_from, status_to, seconds))
    return stays


def _move_of(row: StatusLog) -> tuple[str | None, str | None]:
    forced = None if row.execution_id else _FORCED_FROM_TO.match(row.reason)
    return (Status(forced[1]), Status(forced[2])) if forced else (row.status_from, row.status_to)
