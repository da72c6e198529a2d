"""Which changes were acknowledged, recorded outside of the database, and whether the status log has them."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from executions.models import Execution
from status.models import StatusLog

Row = dict[str, Any]  # some columns of a row of the status log, as JSON has them

COLUMNS = ["id", "execution_id", "status_from", "status_to", "reason"]


class Entry(NamedTuple):
    """``rows`` are all that the status log has with a reason, or of an execution, which ``key`` names."""

    key: str
    rows: list[Row]
    acknowledged: bool  # False: the connection was lost, so that the rows may exist or not


class Journal:
    """A file that survives its writer: the kernel keeps what was written before the kill."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, key: str, rows: list[Row], *, acknowledged: bool = True) -> None:
        os.write(self._file, f"{json.dumps(Entry(key, rows, acknowledged))}\n".encode())


def read_entries(folder: Path) -> Iterator[Entry]:
    for path in folder.iterdir():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):  # an incomplete line: its writer was killed while writing it
                yield Entry(*json.loads(line))


def row_of(log: StatusLog) -> Row:
    return {name: _as_json(getattr(log, name)) for name in COLUMNS}


def creation_of(execution: Execution) -> Row:
    return {"execution_id": str(execution.pk), "status_from": None, "status_to": execution.status}


class StatusLogRows:
    """All rows of the status log as they are now."""

    def __init__(self) -> None:
        self.by_id: dict[int, Row] = {}
        self._by_key: dict[str, list[Row]] = defaultdict(list)
        for values in StatusLog.objects.order_by("id").values_list(*COLUMNS).iterator(10_000):
            row = dict(zip(COLUMNS, map(_as_json, values), strict=True))
            self.by_id[row["id"]] = row
            self._by_key[row["reason"]].append(row)
            self._by_key[row["execution_id"]].append(row)

    def have(self, entry: Entry) -> bool:
        found = self._by_key[entry.key]
        return len(found) == len(entry.rows) and all(
            any(expected.items() <= row.items() for row in found) for expected in entry.rows
        )

    def have_any_of(self, entry: Entry) -> bool:
        return bool(self._by_key[entry.key])

    def include(self, earlier: "StatusLogRows") -> bool:
        """Whether every row that was read earlier still exists, unchanged."""
        return earlier.by_id.items() <= self.by_id.items()


def _as_json(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)
