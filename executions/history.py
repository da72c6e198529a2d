"""The history of an execution, from the rows of the status log that are still kept."""

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone

from status.models import StatusLog
from status.states import TERMINAL

if TYPE_CHECKING:
    from executions.models import Execution


class HistoryEntry(NamedTuple):
    """A transition, and how long the execution then stayed in the new status."""

    log: StatusLog
    seconds: float | None  # until now if it is still in the status; None if that is terminal


def execution_history(execution: "Execution") -> list[HistoryEntry]:
    """Every status that the execution has had, oldest first."""
    rows = list(StatusLog.objects.filter(execution=execution.pk).order_by("id"))
    entries = []
    for row, successor in zip_longest(rows, rows[1:]):
        end = successor.timestamp if successor else None if row.status_to in TERMINAL else timezone.now()
        entries.append(HistoryEntry(row, max((end - row.timestamp).total_seconds(), 0) if end else None))
    return entries
