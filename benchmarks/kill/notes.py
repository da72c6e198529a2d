"""What was acknowledged, noted outside of the database, and whether the ledger has it."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from executions.models import Execution
from status.models import StatusLog

Row = dict[str, Any]  # some columns of a row of the ledger, as JSON has them

COLUMNS = ["id", "execution_id", "status_from", "status_to", "reason"]


class Note(NamedTuple):
    """``rows`` are all that the ledger has of a reason, or of an execution, which ``key`` names."""

    key: str
    rows: list[Row]
    acknowledged: bool  # False: the connection was lost, so that they may be there or not


class Notebook:
    """A file of notes that outlives its writer: the kernel has what was written when a process is killed."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, key: str, rows: list[Row], *, acknowledged: bool = True) -> None:
        os.write(self._file, f"{json.dumps(Note(key, rows, acknowledged))}\n".encode())


def read_notes(folder: Path) -> Iterator[Note]:
    for path in folder.iterdir():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):  # else its writer was killed while writing
                yield Note(*json.loads(line))


def row_of(log: StatusLog) -> Row:
    return {name: _plain(getattr(log, name)) for name in COLUMNS}


def creation_of(execution: Execution) -> Row:
    return {"execution_id": str(execution.pk), "status_from": None, "status_to": execution.status}


class Ledger:
    """All its rows at one moment."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self._of: dict[str, list[Row]] = defaultdict(list)
        for values in StatusLog.objects.order_by("id").values_list(*COLUMNS).iterator(10_000):
            row = dict(zip(COLUMNS, map(_plain, values), strict=True))
            self.rows[row["id"]] = row
            self._of[row["reason"]].append(row)
            self._of[row["execution_id"]].append(row)

    def has(self, note: Note) -> bool:
        found = self._of[note.key]
        return len(found) == len(note.rows) and all(
            any(row.items() <= there.items() for there in found) for row in note.rows
        )

    def has_any_of(self, note: Note) -> bool:
        return bool(self._of[note.key])

    def goes_on_from(self, earlier: "Ledger") -> bool:
        """Whether what a reader has once seen is still there."""
        return earlier.rows.items() <= self.rows.items()


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)
