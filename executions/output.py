"""What a script prints, as lines of its execution's log."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.db import transaction

from .fields import database_time
from .models import Execution, ExecutionLog, ExecutionQuerySet, Level, storable
from .supervisor.records import NOTICE, STDERR, STDOUT, records

AT_ONCE = 1_000_000  # bytes of output that are stored by one transaction; more than any single record has
LONGEST = 9_000  # characters of one log line; a longer one is cut into several
LEVELS = {STDOUT: Level.INFO, STDERR: Level.ERROR, NOTICE: Level.WARNING}


class Output:
    """Stores what a run's file of output has gained, each line once.

    How far it got is a column of the execution, changed by the transaction that adds the lines: so that
    another process can go on there, and no line is stored twice when the database's answer was lost.
    """

    def __init__(self, execution_id: UUID, attempt: int, directory: Path) -> None:
        self._execution_id = execution_id
        self._attempt = attempt
        self._path = directory / "output"
        self._position: int | None = None

    def store(self) -> bool:
        """Store some of it.

        Returns:
            Whether there may be more.
        """
        if self._position is None:
            self._position = self._rows().values_list("log_position", flat=True).first()
            if self._position is None:
                return False  # the execution has been deleted, or is run again
        try:
            with self._path.open("rb") as file:
                data = os.pread(file.fileno(), AT_ONCE, self._position)
        except FileNotFoundError:
            return False
        lines = list(self._lines(data)) if data else []
        return bool(lines) and self._store(self._position, lines)

    def _store(self, position: int, lines: list[tuple[ExecutionLog, float, int]]) -> bool:
        now, clock = database_time(), time.monotonic()
        *_, (_, _, size) = lines
        for log, at, _ in lines:
            log.register_date = now - timedelta(seconds=max(0, clock - at))
        with transaction.atomic():
            if self._rows().filter(log_position=position).update(log_position=position + size):
                ExecutionLog.objects.bulk_create([log for log, _, _ in lines], batch_size=5_000)
                self._position = position + size
            else:
                self._position = None  # they are stored already, or the execution has been deleted
        return True

    def _lines(self, data: bytes) -> Iterator[tuple[ExecutionLog, float, int]]:
        """Each line, the time when it was read, and where its record ends."""
        for stream, at, text, end in records(data):
            line = storable(text.decode("utf-8", "backslashreplace").removesuffix("\r"))
            for start in range(0, len(line) or 1, LONGEST):
                log = ExecutionLog(
                    execution_id=self._execution_id,
                    text=line[start : start + LONGEST],
                    level=LEVELS[stream],
                )
                yield log, at, end

    def _rows(self) -> ExecutionQuerySet:
        return Execution.objects.filter(pk=self._execution_id, attempt=self._attempt)
