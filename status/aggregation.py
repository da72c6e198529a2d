"""Buckets: the counts at the end of each hour, day, week or month, and how many executions ended in it.

Only the rows at the boundaries of the buckets are read. An execution *ended* in a bucket if one of the
bucket's rows has a terminal ``status_to``. To know how many did, the counts at the two boundaries are
subtracted, and everything else that changed the number of ended executions is added or taken off. Two small
partial indexes find that: deletions and repairs of ended executions, and snapshots that corrected a count.

The old periodic task recorded no transitions, and an imported log may lack some. In their time a bucket has
the growth of the count from boundary to boundary, or 0 if the count has shrunk: at least so many executions
ended. Their time lasts until the first snapshot of the ledger.
"""

from bisect import bisect
from collections import Counter
from datetime import datetime
from itertools import pairwise
from operator import sub
from typing import Any, NamedTuple

from django.db import connection

from .models import BEFORE_LEDGER, StatusLog
from .states import ACTIVE, TERMINAL, Status, count_field, in_order

ENDS = in_order(TERMINAL)
LEVELS = [*map(count_field, in_order(ACTIVE)), "executions_active"]
_COLUMNS = [*map(count_field, ENDS), *LEVELS]
_ENDED = {status: count_field(status) for status in ENDS}
_CUMULATIVE = {status: f"cumulative_{status.lower()}" for status in ENDS}
_CORRECTIONS = ", ".join(f"snapshot.{column} - previous.{column}" for column in _ENDED.values())

# The newest row before each boundary.
_ROWS_BEFORE = f"""
    SELECT boundary.number, boundary.at, newest.*
    FROM unnest(%(boundaries)s::timestamptz[]) WITH ORDINALITY AS boundary (at, number)
    LEFT JOIN LATERAL (
        SELECT id, {", ".join(_COLUMNS)} FROM status_log
        WHERE timestamp < boundary.at ORDER BY timestamp DESC, id DESC LIMIT 1
    ) AS newest ON true
"""

_LEVELS_AT = f"SELECT id, {', '.join(_COLUMNS)} FROM ({_ROWS_BEFORE}) AS before ORDER BY number"

# Ended executions that were deleted or repaired. One that a repair gives another terminal status has not
# ended again.
_UNDONE = f"""
    SELECT width_bucket(timestamp, %(boundaries)s::timestamptz[]) - 1, status_from, status_to, count(*)
    FROM status_log
    WHERE status_from IN ({", ".join(f"'{status}'" for status in ENDS)})
        AND timestamp >= %(start)s AND timestamp < %(end)s
        AND id > %(first)s AND id <= %(last)s
    GROUP BY 1, 2, 3
"""

_CORRECTED = f"""
    SELECT snapshot.timestamp, {_CORRECTIONS}
    FROM status_log AS snapshot JOIN status_log AS previous ON previous.id = snapshot.id - 1
    WHERE snapshot.status_from IS NULL AND snapshot.status_to IS NULL
        AND snapshot.source NOT IN ({", ".join(f"'{source}'" for source in BEFORE_LEDGER)})
        AND snapshot.id > %(first)s AND snapshot.id <= %(last)s
        AND snapshot.timestamp >= %(start)s AND snapshot.timestamp < %(end)s
"""


class Level(NamedTuple):
    """A row's id, and its counts in the order of ``_COLUMNS``."""

    id: int
    counts: tuple[int, ...]


class Beginning(NamedTuple):
    """The first row that recorded a transition, and the counts before the oldest row."""

    ledger: Level
    oldest: Level


def buckets(boundaries: list[datetime]) -> list[dict[str, Any]]:
    """The buckets between each two of the boundaries, oldest first.

    Args:
        boundaries: in ascending order; the first bucket must end after the oldest row.
    """
    beginning = _beginning()
    levels = [
        Level(row[0], row[1:]) if row[0] else beginning.oldest for row in _query(_LEVELS_AT, boundaries)
    ]
    removed = _removed_otherwise(boundaries, beginning.ledger.id, levels[-1].id)
    grown = map(_grown, pairwise(_Sides.of(level, beginning.ledger) for level in levels))
    total = dict.fromkeys(ENDS, 0)
    found = []
    for number, (growth, level) in enumerate(zip(grown, levels[1:], strict=True)):
        bucket: dict[str, Any] = {"timestamp": boundaries[number]}
        bucket |= zip(LEVELS, level.counts[len(ENDS) :], strict=True)
        for status, more in zip(ENDS, growth, strict=True):
            ended = more + removed[number, status]
            total[status] += ended
            bucket[_ENDED[status]] = ended
            bucket[_CUMULATIVE[status]] = total[status]
        found.append(bucket)
    return found


class _Sides(NamedTuple):
    """The counts of ended executions at a row, by the ledger and by the old rows."""

    ledger: tuple[int, ...]
    old_rows: tuple[int, ...]

    @classmethod
    def of(cls, level: Level, beginning: Level) -> "_Sides":
        earlier, later = (level, beginning) if level.id < beginning.id else (beginning, level)
        return cls(later.counts[: len(ENDS)], earlier.counts[: len(ENDS)])


def _grown(ends: tuple[_Sides, _Sides]) -> list[int]:
    """By how much each count has grown: exactly in the ledger, and at least 0 in the old rows."""
    before, after = ends
    in_ledger = map(sub, after.ledger, before.ledger)
    in_old_rows = map(sub, after.old_rows, before.old_rows)
    return [exact + max(at_least, 0) for exact, at_least in zip(in_ledger, in_old_rows, strict=True)]


def _beginning() -> Beginning:
    row = StatusLog.objects.earliest("id")
    if row.precedes_ledger:
        first = StatusLog.objects.snapshots().earliest("id")
        return Beginning(_level(first), _level(row))
    # The counts before the oldest row's own transition.
    counts = [
        count - (column == _column_of(row.status_to)) + (column == _column_of(row.status_from))
        for column, count in zip(_COLUMNS, _level(row).counts, strict=True)
    ]
    before = Level(row.id - 1, tuple(counts))
    return Beginning(before, before)


def _column_of(status: str | None) -> str | None:
    return count_field(Status(status)) if status else None


def _level(row: StatusLog) -> Level:
    return Level(row.id, tuple(getattr(row, column) for column in _COLUMNS))


def _removed_otherwise(boundaries: list[datetime], first: int, last: int) -> Counter[tuple[int, Status]]:
    """How many ended executions each count has lost in each bucket, other than by a transition."""
    removed: Counter[tuple[int, Status]] = Counter()
    for number, status_from, status_to, count in _query(_UNDONE, boundaries, first=first, last=last):
        removed[number, Status(status_from)] += count
        if status_to in TERMINAL:
            removed[number, Status(status_to)] -= count
    for at, *corrections in _query(_CORRECTED, boundaries, first=first, last=last):
        number = bisect(boundaries, at) - 1
        removed.subtract({(number, status): more for status, more in zip(ENDS, corrections, strict=True)})
    return removed


# Each level that a bucket had, from the one at its start on, and for how many seconds.
_SPANS = f"""
    WITH carried AS ({_ROWS_BEFORE}), seen AS (
        SELECT number, at, id, {", ".join(LEVELS)} FROM carried WHERE id IS NOT NULL
        UNION ALL
        SELECT width_bucket(timestamp, %(boundaries)s::timestamptz[]), timestamp, id, {", ".join(LEVELS)}
        FROM status_log WHERE timestamp >= %(start)s AND timestamp < %(end)s
    ), spans AS (
        SELECT seen.*, greatest(extract(epoch FROM coalesce(
            lead(at) OVER (PARTITION BY number ORDER BY id),
            least((%(boundaries)s::timestamptz[])[number + 1], %(now)s)
        ) - at), 0)::float AS seconds
        FROM seen WHERE number < cardinality(%(boundaries)s::timestamptz[])
    )
"""
_AVERAGE = "coalesce(sum({level} * seconds) / nullif(sum(seconds), 0), avg({level}))::float"
_OVER_TIME = f"""
    {_SPANS}
    SELECT number - 1,
        {", ".join(_AVERAGE.format(level=level) for level in LEVELS)},
        {", ".join(f"max({column})" for column in LEVELS)}
    FROM spans GROUP BY number
"""


def add_over_time(
    found: list[dict[str, Any]], boundaries: list[datetime], now: datetime, names: list[str]
) -> None:
    """Add to each bucket the ``average``, weighted by time, or the ``maximum`` of each level, or both.

    It reads every row between the first and the last boundary.
    """
    levels = [column.removeprefix("executions_") for column in LEVELS]
    for number, *values in _query(_OVER_TIME, boundaries, now=now):
        averages = [round(value, 6) for value in values[: len(levels)]]
        values_of = {"average": averages, "maximum": values[len(levels) :]}
        for name in names:
            found[number][name] = dict(zip(levels, values_of[name], strict=True))


def _query(sql: str, boundaries: list[datetime], **parameters: Any) -> list[tuple[Any, ...]]:
    # As one text: the driver needs longer for a list of thousands than the database for the query.
    array = f"{{{','.join(map(datetime.isoformat, boundaries))}}}"
    parameters |= {"boundaries": array, "start": boundaries[0], "end": boundaries[-1]}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
