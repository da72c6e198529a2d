"""The ledger as lines of text, each row once and in order."""

from dataclasses import dataclass

from status.models import StatusLog
from status.states import Status, count_field

BATCH = 1000

COLOURS = {  # of the terminal, by the standard's numbers
    Status.PENDING: 37,
    Status.READY: 36,
    Status.RUNNING: 34,
    Status.FINISHED: 32,
    Status.FAILED: 31,
    Status.CANCELLED: 33,
}


class Feed:
    """The rows after a given one. Since ids have no gaps and follow the commits, none is missed."""

    def __init__(self, after: int) -> None:
        self._last = after

    def read(self) -> list[StatusLog]:
        """The rows that have been committed since, at most ``BATCH`` of them."""
        rows = list(StatusLog.objects.after(self._last).select_related("execution__script")[:BATCH])
        if rows:
            self._last = rows[-1].pk
        return rows


@dataclass
class Line:
    """One row: its time, its execution, the move, and how many executions have each status now."""

    row: StatusLog
    coloured: bool = False

    def __str__(self) -> str:
        counts = "  ".join(
            f"{status.lower()} {getattr(self.row, count_field(status)):>2}" for status in Status
        )
        return f"{self.row.timestamp:%H:%M:%S.%f}"[:12] + f"  {self._execution()}  {self._move()}  {counts}"

    def _execution(self) -> str:
        if self.row.execution_id is None:
            return f"{'snapshot':<25}"
        execution = self.row.execution  # None when it has been deleted
        slug = execution.script.slug if execution else "(deleted)"
        return f"{str(self.row.execution_id)[:8]} {slug:<16.16}"

    def _move(self) -> str:
        status_to = f"{self.row.status_to or '-':<9}"
        if self.coloured and self.row.status_to:
            status_to = f"\033[{COLOURS[Status(self.row.status_to)]}m{status_to}\033[0m"
        return f"{self.row.status_from or '-':>9} → {status_to}"
