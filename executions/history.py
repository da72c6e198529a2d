"""What happened to an execution, as far as the rows of the status log are kept."""

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone

from status.models import StatusLog
from status.states import TERMINAL

if TYPE_CHECKING:
    from executions.models import Execution


class HistoryEntry(NamedTuple):
    """The time that an execution spent in the status to which ``log`` took it."""

    log: StatusLog
    seconds: float | None  # None: it has ended there


def execution_history(execution: "Execution") -> list[HistoryEntry]:
    """Every status that it had and for how long, oldest first."""
    rows = list(StatusLog.objects.filter(execution=execution.pk).order_by("id"))
    stays = []
    for row, following in zip_longest(rows, rows[1:]):
        end = following.timestamp if following else None if row.status_to in TERMINAL else timezone.now()
        stays.append(HistoryEntry(row, max((end - row.timestamp).total_seconds(), 0) if end else None))
    return stays
