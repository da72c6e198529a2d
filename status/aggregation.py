"""What happened in each hour, day, week or month, from the rows at the bucket's ends.

How many executions *ended* in a bucket is how many rows of it have that ``status_to``. It is not counted:
the counts at the two ends differ by it, and by what else changed the number of ended executions in between,
which two small partial indexes find: deletions and repairs of ended executions, and snapshots that corrected
a count (an execution that was found, or found to be missing, has not ended by that).

Before the ledger's first snapshot that does not hold: the old periodic task recorded no transitions, and an
imported log may lack some. There a bucket shows by how much the count has grown from its first end to its
last, or nothing if it has shrunk: at least so many ended, and nobody can know better. The time between the
last of these rows and that snapshot counts as their time too.
"""

from bisect import bisect
from collections import Counter
from datetime import datetime
from itertools import pairwise
from operator import sub
from typing import Any, NamedTuple

from django.db import connection

from .models import StatusLog
from .sources import BEFORE_LEDGER
from .states import ACTIVE, TERMINAL, Status, count_field, in_order

ENDS = in_order(TERMINAL)
LEVELS = [*map(count_field, in_order(ACTIVE)), "executions_active"]
_COLUMNS = [*map(count_field, ENDS), *LEVELS]
_ENDED = {status: count_field(status) for status in ENDS}
_CUMULATIVE = {status: f"cumulative_{status.lower()}" for status in ENDS}
_CORRECTIONS = ", ".join(f"snapshot.{column} - previous.{column}" for column in _ENDED.values())

# The newest row before each moment.
_ROWS_BEFORE = f"""
    SELECT moment.number, moment.at, newest.*
    FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS moment (at, number)
    LEFT JOIN LATERAL (
        SELECT id, {", ".join(_COLUMNS)} FROM status_log
        WHERE timestamp < moment.at ORDER BY timestamp DESC, id DESC LIMIT 1
    ) AS newest ON true
"""

_LEVELS_AT = f"SELECT id, {', '.join(_COLUMNS)} FROM ({_ROWS_BEFORE}) AS before ORDER BY number"

# An ended execution leaves its count only by being deleted or repaired; one that a repair gives another end
# has not ended again.
_UNDONE = f"""
    SELECT width_bucket(timestamp, %(moments)s::timestamptz[]) - 1, status_from, status_to, count(*)
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
    """Where the transitions begin, and what is known before the oldest row."""

    ledger: Level
    oldest: Level


def buckets(moments: list[datetime]) -> list[dict[str, Any]]:
    """One bucket between each two of the moments, oldest first.

    Args:
        moments: growing; the first bucket must end after the oldest row.
    """
    beginning = _beginning()
    levels = [Level(row[0], row[1:]) if row[0] else beginning.oldest for row in _query(_LEVELS_AT, moments)]
    taken = _taken_away(moments, beginning.ledger.id, levels[-1].id)
    grown = map(_grown, pairwise(_Sides.of(level, beginning.ledger) for level in levels))
    total = dict.fromkeys(ENDS, 0)
    found = []
    for number, (growth, level) in enumerate(zip(grown, levels[1:], strict=True)):
        bucket: dict[str, Any] = {"timestamp": moments[number]}
        bucket |= zip(LEVELS, level.counts[len(ENDS) :], strict=True)
        for status, more in zip(ENDS, growth, strict=True):
            ended = more + taken[number, status]
            total[status] += ended
            bucket[_ENDED[status]] = ended
            bucket[_CUMULATIVE[status]] = total[status]
        found.append(bucket)
    return found


class _Sides(NamedTuple):
    """The counts of ended executions at a row: as far as the ledger had come, and the old rows."""

    ledger: tuple[int, ...]
    old_rows: tuple[int, ...]

    @classmethod
    def of(cls, level: Level, beginning: Level) -> "_Sides":
        earlier, later = (level, beginning) if level.id < beginning.id else (beginning, level)
        return cls(later.counts[: len(ENDS)], earlier.counts[: len(ENDS)])


def _grown(ends: tuple[_Sides, _Sides]) -> list[int]:
    """By how much each count has grown: in the ledger to the unit, before it only if it has."""
    before, after = ends
    in_ledger = map(sub, after.ledger, before.ledger)
    in_old_rows = map(sub, after.old_rows, before.old_rows)
    return [exact + max(at_least, 0) for exact, at_least in zip(in_ledger, in_old_rows, strict=True)]


def _beginning() -> Beginning:
    row = StatusLog.objects.earliest("id")
    if row.precedes_ledger:
        first = StatusLog.objects.snapshots().earliest("id")
        return Beginning(_level(first), _level(row))
    # As it was before the oldest row's own transition.
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


def _taken_away(moments: list[datetime], first: int, last: int) -> Counter[tuple[int, Status]]:
    """How many ended executions have left each count in each bucket, other than by a transition."""
    taken: Counter[tuple[int, Status]] = Counter()
    for number, status_from, status_to, count in _query(_UNDONE, moments, first=first, last=last):
        taken[number, Status(status_from)] += count
        if status_to in TERMINAL:
            taken[number, Status(status_to)] -= count
    for at, *corrections in _query(_CORRECTED, moments, first=first, last=last):
        number = bisect(moments, at) - 1
        taken.subtract({(number, status): more for status, more in zip(ENDS, corrections, strict=True)})
    return taken


# Each level that there was in a bucket, the one that it began with first, and for how many seconds.
_SPANS = f"""
    WITH carried AS ({_ROWS_BEFORE}), seen AS (
        SELECT number, at, id, {", ".join(LEVELS)} FROM carried WHERE id IS NOT NULL
        UNION ALL
        SELECT width_bucket(timestamp, %(moments)s::timestamptz[]), timestamp, id, {", ".join(LEVELS)}
        FROM status_log WHERE timestamp >= %(start)s AND timestamp < %(end)s
    ), spans AS (
        SELECT seen.*, greatest(extract(epoch FROM coalesce(
            lead(at) OVER (PARTITION BY number ORDER BY id),
            least((%(moments)s::timestamptz[])[number + 1], %(now)s)
        ) - at), 0)::float AS seconds
        FROM seen WHERE number < cardinality(%(moments)s::timestamptz[])
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
    found: list[dict[str, Any]], moments: list[datetime], now: datetime, names: list[str]
) -> None:
    """Add to each bucket the ``average``, weighted by time, or the ``maximum`` of each level, or both.

    Reads every row of the time.
    """
    levels = [column.removeprefix("executions_") for column in LEVELS]
    for number, *values in _query(_OVER_TIME, moments, now=now):
        averages = [round(value, 6) for value in values[: len(levels)]]
        values_of = {"average": averages, "maximum": values[len(levels) :]}
        for name in names:
            found[number][name] = dict(zip(levels, values_of[name], strict=True))


def _query(sql: str, moments: list[datetime], **parameters: Any) -> list[tuple[Any, ...]]:
    # As one text: the driver takes longer over a list of thousands than the database over its answer.
    array = f"{{{','.join(map(datetime.isoformat, moments))}}}"
    parameters |= {"moments": array, "start": moments[0], "end": moments[-1]}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
