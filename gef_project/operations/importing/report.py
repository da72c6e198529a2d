"""What an import says of itself: counts for the terminal, every single finding in a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from django.db import connection

from .source import Server


class Count(NamedTuple):
    """The rows of one table."""

    name: str
    found: int
    taken: int


class Summary(NamedTuple):
    """How often something did not fit."""

    item: str
    text: str
    taken: bool
    rows: int


class Report(NamedTuple):
    server: Server
    time_zone: str
    counts: list[Count]
    findings: list[Summary]
    # "user.gee_license" and "table script_log": how many values or rows have no place here.
    without_counterpart: Mapping[str, int]

    def lines(self) -> Iterator[str]:
        server = self.server
        yield f"Source: the database {server.database} on {server.host}, PostgreSQL {server.version}."
        yield (
            f"Its times without a time zone were read as {self.time_zone}; a session of this user there has"
            f" {server.time_zone}."
        )
        for count in self.counts:
            yield f"  {count.taken:>12,} of {count.found:,} {count.name}"
        for taken, title in ((False, "Not taken:"), (True, "Taken, but not as it was:")):
            if chosen := [finding for finding in self.findings if finding.taken == taken]:
                yield title
                yield from (f"  {finding.rows:>12,} × {finding.item}: {finding.text}" for finding in chosen)
        if self.without_counterpart:
            yield "Values and rows for which there is no place here:"
            yield from (f"  {number:>12,} × {name}" for name, number in self.without_counterpart.items())


def summaries() -> list[Summary]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item, text, taken, count(*) FROM import_finding GROUP BY 1, 2, 3 ORDER BY 1, 3, 4 DESC, 2"
        )
        return [Summary(*row) for row in cursor.fetchall()]


def write_findings(path: Path) -> None:
    """Every finding, a line each: table, id, whether the row was taken, what did not fit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    query = (
        'COPY (SELECT item AS "table", id, taken, text FROM import_finding ORDER BY item, taken, text, id)'
        " TO STDOUT (FORMAT csv, HEADER)"
    )
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(query) as copy:
        for data in copy:
            file.write(data)
