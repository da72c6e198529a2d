"""Check the ledger's invariants over the whole table, one query for each span of rows.

See docs/ledger.md for the invariants and their numbers. Rows from before the ledger, of the periodic
task or imported, have no invariants and are not checked.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.db import connection

from .models import StatusLog
from .sql import ACTIVE_SUM, COUNTS, EXECUTIONS, MISCOUNTED, PREVIOUS, SNAPSHOT
from .states import Status, count_field

SPAN = 100_000  # rows for each query, which limits its memory and the time until progress is reported


class Fault(NamedTuple):
    """The first row that breaks an invariant."""

    log_id: int
    problem: str

    def __str__(self) -> str:
        return f"row {self.log_id}: {self.problem}"


def _repaired_between(earlier: str, later: str) -> str:
    """Whether there is a snapshot in between: it states the true counts after a change without a log row."""
    return f"EXISTS (SELECT FROM status_log WHERE id > {earlier} AND id < {later} AND {SNAPSHOT})"


# Compares each row of the span with the row before it, and with the previous row of its execution. The first
# row of the table has none before it; pruning may have made it a later one since the check began. A
# snapshot's counts need not follow from the row before it.
_SPAN_FAULT = f"""
    WITH span AS (
        SELECT *, {PREVIOUS} FROM status_log
        WHERE id BETWEEN %(first)s - 1 AND %(last)s
        WINDOW in_order AS (ORDER BY id)
    ), faults AS (
        SELECT log.id, CASE
            WHEN previous_id IS DISTINCT FROM log.id - 1 THEN 'the row before it is missing'
            WHEN log.timestamp < previous_timestamp THEN 'it is older than the row before it'
            WHEN executions_active <> {ACTIVE_SUM}
                THEN 'executions_active is not the sum of pending, ready and running'
            WHEN NOT (log.status_from IS NULL AND log.status_to IS NULL) AND ({MISCOUNTED})
                THEN 'its counts are not those of the row before it with its own transition applied'
            WHEN earlier.id IS NOT NULL AND earlier.status_to IS DISTINCT FROM log.status_from
                AND NOT {_repaired_between("earlier.id", "log.id")}
                THEN 'its status_from is not the status_to of the row before it of that execution'
        END AS problem
        FROM span AS log LEFT JOIN LATERAL (
            SELECT id, status_to FROM status_log
            WHERE execution_id = log.execution_id AND id < log.id AND id >= %(oldest)s
            ORDER BY id DESC LIMIT 1
        ) AS earlier ON true
        WHERE log.id >= %(first)s AND log.id > greatest(%(oldest)s, (SELECT min(id) FROM status_log))
    )
    SELECT id, problem FROM faults WHERE problem IS NOT NULL ORDER BY id LIMIT 1
"""

_DIFFERENCES = ", ".join(
    f"CASE WHEN {name} <> true_{name} THEN format('{name} is %%s but should be %%s', {name}, true_{name}) END"
    for name in COUNTS
)
_DIFFERS = " OR ".join(f"{name} <> true_{name}" for name in COUNTS)
_TRUE_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE status = '{status}') AS true_{count_field(status)}" for status in Status
)

# Compares the newest row with the executions, by one statement, so at one time.
_COUNT_FAULT = f"""
    SELECT newest.id, concat_ws('; ', {_DIFFERENCES})
    FROM (SELECT * FROM status_log ORDER BY id DESC LIMIT 1) AS newest,
        (SELECT {_TRUE_COUNTS} FROM {EXECUTIONS}) AS truth
    WHERE {_DIFFERS}
"""

# Compares each execution with its newest row, again at one time.
_STATUS_FAULT = f"""
    SELECT newest.id,
        format('it leaves execution %%s in %%s, but it is in %%s', e.id, newest.status_to, e.status)
    FROM {EXECUTIONS} AS e CROSS JOIN LATERAL (
        SELECT id, status_to FROM status_log
        WHERE execution_id = e.id AND id >= %(oldest)s ORDER BY id DESC LIMIT 1
    ) AS newest
    WHERE newest.status_to IS DISTINCT FROM e.status
        AND NOT {_repaired_between("newest.id", "9223372036854775807")}
    ORDER BY newest.id LIMIT 1
"""


def counts_fault() -> Fault | None:
    """Compare the newest row with the true counts (invariant 3)."""
    return _first(_COUNT_FAULT)


def first_fault(progress: Callable[[int], object] = lambda rows: None, since: int = 0) -> Fault | None:
    """Check every row and the executions' present statuses (invariants 1, 2, 3 and 6).

    Args:
        progress: called with the number of rows that have been checked since the last call.
        since: the id of the first row to check; earlier rows are not checked.

    Returns:
        The first row that breaks an invariant; None when all hold.
    """
    ledger = StatusLog.objects.ids_of_ledger()
    if not ledger:
        return Fault(0, "the ledger has no row; run manage.py migrate")
    for first in range(max(ledger.start, since), ledger.stop, SPAN):
        last = min(first + SPAN, ledger.stop) - 1
        if fault := _first(_SPAN_FAULT, first=first, last=last, oldest=ledger.start):
            return fault
        progress(last - first + 1)
    return _first(_STATUS_FAULT, oldest=ledger.start) or counts_fault()


def _first(query: str, **parameters: int) -> Fault | None:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return Fault(*row) if row else None
