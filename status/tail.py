"""The status log in a terminal: new rows as lines of text, like ``tail -f``."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import Error, connection

from .models import StatusLog
from .serializers import StatusLogSerializer
from .states import Status, count_field

BATCH = 1000  # rows
INTERVAL = 0.1  # seconds between two polls

COLOURS = {  # the terminal's numbers (ANSI)
    Status.PENDING: 37,
    Status.READY: 36,
    Status.RUNNING: 34,
    Status.FINISHED: 32,
    Status.FAILED: 31,
    Status.CANCELLED: 33,
}


class RowsPruned(Exception):
    """Rows that were not read yet have been deleted; ``oldest`` is the id of the oldest one left."""

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"The rows before {oldest} are no longer kept.")


class Tail:
    """The rows after a given one. Since ids have no gaps and follow the order of commits, none is missed."""

    def __init__(self, after: int) -> None:
        self._last = after

    def read(self) -> list[StatusLog]:
        """The rows that have been committed since the last call, at most ``BATCH``.

        Raises:
            RowsPruned
        """
        rows = list(StatusLog.objects.after(self._last).select_related("execution__script")[:BATCH])
        if rows:
            if rows[0].pk != self._last + 1:
                raise RowsPruned(rows[0].pk)
            self._last = rows[-1].pk
        return rows

    def follow(self, warn: Callable[[str], None]) -> Iterator[StatusLog]:
        """All rows as they are committed, without end. While the database is away, it waits.

        Args:
            warn: called with a text when the database goes away and when it is back.
        """
        away = False
        while True:
            try:
                rows = self.read()
            except Error as error:
                connection.close()
                if not away:
                    warn(f"The database is away: {_first_line(error)}. Waiting for it.")
                away, rows = True, []
            else:
                if away:
                    warn("The database is back.")
                away = False
            yield from rows
            if len(rows) < BATCH:
                time.sleep(INTERVAL)


@dataclass
class Line:
    """One row: its time, its execution, the transition, and the counts."""

    row: StatusLog
    coloured: bool = False

    def __str__(self) -> str:
        counts = "  ".join(
            f"{status.lower()} {getattr(self.row, count_field(status)):>2}" for status in Status
        )
        return (
            f"{self.row.timestamp:%H:%M:%S.%f}"[:12]
            + f"  {self._execution()}  {self._transition()}  {counts}"
        )

    def _execution(self) -> str:
        if self.row.execution_id is None:
            return f"{'snapshot':<25}"
        execution = self.row.execution  # None when it has been deleted
        slug = execution.script.slug if execution else "(deleted)"
        return f"{str(self.row.execution_id)[:8]} {slug:<16.16}"

    def _transition(self) -> str:
        status_to = f"{self.row.status_to or '-':<9}"
        if self.coloured and self.row.status_to:
            status_to = f"\033[{COLOURS[Status(self.row.status_to)]}m{status_to}\033[0m"
        return f"{self.row.status_from or '-':>9} → {status_to}"


def as_json(row: StatusLog) -> str:
    """The row as one line of JSON, as in the API."""
    return json.dumps(StatusLogSerializer(row).data)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
