"""The ledger as lines of text, each row once and in order; for a terminal."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import Error, connection

from .models import StatusLog
from .serializers import StatusLogSerializer
from .states import Status, count_field

BATCH = 1000  # rows
INTERVAL = 0.1  # seconds between two looks

COLOURS = {  # of the terminal, by the standard's numbers
    Status.PENDING: 37,
    Status.READY: 36,
    Status.RUNNING: 34,
    Status.FINISHED: 32,
    Status.FAILED: 31,
    Status.CANCELLED: 33,
}


class RowsPruned(Exception):
    """Some of the rows after the last one that was read are no longer kept; ``oldest`` is."""

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"The rows before {oldest} are no longer kept.")


class Tail:
    """The rows after a given one. Since ids have no gaps and follow the commits, none is missed."""

    def __init__(self, after: int) -> None:
        self._last = after

    def read(self) -> list[StatusLog]:
        """The rows that have been committed since, at most ``BATCH`` of them.

        Raises:
            RowsPruned
        """
        rows = list(StatusLog.objects.after(self._last).select_related("execution__script")[:BATCH])
        if rows:
            if rows[0].pk != self._last + 1:
                raise RowsPruned(rows[0].pk)
            self._last = rows[-1].pk
        return rows

    def follow(self, complain: Callable[[str], None]) -> Iterator[StatusLog]:
        """For ever, also while the database is away for a time.

        Args:
            complain: is told when the database goes away, and when it is back.
        """
        away = False
        while True:
            try:
                rows = self.read()
            except Error as error:
                connection.close()
                if not away:
                    complain(f"The database is away: {_first_line(error)}. Waiting for it.")
                away, rows = True, []
            else:
                if away:
                    complain("The database is back.")
                away = False
            yield from rows
            if len(rows) < BATCH:
                time.sleep(INTERVAL)


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


def as_json(row: StatusLog) -> str:
    """One line, in the form of the API."""
    return json.dumps(StatusLogSerializer(row).data)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
