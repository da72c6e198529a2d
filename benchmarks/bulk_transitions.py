"""Row 5: many transitions in one call."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from benchmarks.datasets import Dataset, build_dataset, execute, use
from benchmarks.measurement import Figures, Processes, Sample, in_rounds
from benchmarks.plan import Plan
from benchmarks.report import OURS, Line, rate
from benchmarks.transitions import ours
from executions.models import Execution
from status.retention import prune
from status.sql import LEDGER_LOCK
from status.states import Status

# For tables without triggers, so it computes the ids and counts that they would write.
_BARE = """
    WITH changed AS (
        UPDATE executions_execution SET status = '{status_to}'
        WHERE status = '{status_from}' RETURNING id AS execution_id
    ), newest AS (SELECT * FROM status_log ORDER BY id DESC LIMIT 1),
    numbered AS (SELECT changed.*, row_number() OVER (ORDER BY execution_id) AS nth FROM changed)
    INSERT INTO status_log (id, timestamp, execution_id, status_from, status_to, source, reason,
        executions_pending, executions_{count_from}, executions_{count_to}, executions_finished,
        executions_failed, executions_cancelled, executions_active)
    SELECT id + nth, now(), numbered.execution_id, '{status_from}', '{status_to}', 'bench', '',
        executions_pending, executions_{count_from} - nth, executions_{count_to} + nth, executions_finished,
        executions_failed, executions_cancelled, executions_active
    FROM newest, numbered
"""


def by_update_status(status_from: Status, status_to: Status) -> int:
    return Execution.objects.filter(status=status_from).update_status(status_to, source="bench")


def by_statement(status_from: Status, status_to: Status) -> int:
    statement = _BARE.format(
        status_from=status_from,
        status_to=status_to,
        count_from=status_from.lower(),
        count_to=status_to.lower(),
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({LEDGER_LOCK})")
        cursor.execute(statement)
        changed: int = cursor.rowcount
        cursor.execute(f"SELECT pg_advisory_unlock({LEDGER_LOCK})")
    return changed


def in_one_call(plan: Plan) -> Iterator[Line]:
    cells: dict[str, AllAtOnce] = {}
    sizes = {plan.bulk: "", 10 * plan.bulk: f", of {10 * plan.bulk:,} executions"}
    for size, of in sizes.items():
        cells |= {
            f"many{of}": AllAtOnce(build_dataset(size, plan.bulk), by_update_status),
            f"bare{of}": AllAtOnce(build_dataset(size, plan.bulk, with_triggers=False), by_statement),
        }
    first = {of: Figures([cells[f"many{of}"].sample(0, flushed=True)]) for of in sizes.values()}
    for cell in cells.values():
        cell.settle()
    single_transitions = Processes(build_dataset(plan.common_size), 1, ours)
    figures = in_rounds({**cells, "single": single_transitions}, plan.rounds, plan.seconds, title="5 Bulk")
    single = figures["single"]
    for of in sizes.values():
        many, bare = figures[f"many{of}"], figures[f"bare{of}"]
        ratio, times = (None, None) if of else (0.5, 30)
        yield rate(5, f"{plan.bulk:,} transitions in one call of the set's update_status{of}", many)
        what = f"bare UPDATE … RETURNING, INSERT … SELECT, on tables without triggers{of}"
        yield rate(5, what, bare, OURS, (many, bare), ratio)
        what = "update_status one by one, 1 connection"
        yield rate(5, what, single, f"in one call{of} / this", (many, single), times)
        yield rate(5, f"the first such call, on tables just filled in bulk{of}", first[of])


# The share of new versions of rows that must fit into the page of the old version.
SETTLED = 0.8
CALLS_TO_SETTLE = 12


@dataclass(frozen=True)
class AllAtOnce:
    """Change all active executions of the database to READY and to RUNNING in turn."""

    database: Dataset
    change_all: Callable[[Status, Status], int]

    def sample(self, seconds: float, *, flushed: bool) -> Sample:
        use(self.database.name)
        # Keep the log as short as for the single transitions: with the rows of a million of them, its index
        # by execution does not fit into memory, and a call takes longer.
        list(prune(timezone.now()))
        execute("VACUUM (ANALYZE)")  # as the server itself does after so many changes
        execute(f"SET synchronous_commit = {'on' if flushed else 'off'}")
        ready = Execution.objects.filter(status=Status.READY).exists()
        status_from, status_to = (Status.READY, Status.RUNNING) if ready else (Status.RUNNING, Status.READY)
        used, start = time.process_time(), time.perf_counter()
        changed = self.change_all(status_from, status_to)
        took, used = time.perf_counter() - start, time.process_time() - used
        if changed != self.database.active:
            raise RuntimeError(f"{changed} of {self.database.active} changed")
        return Sample(changed / took, used / changed * 1e6, 0)

    def settle(self) -> None:
        """Call it until the pages have room for new versions of rows, as in a table that is in use.

        A bulk load leaves only a fifth of each page free, and a version in another page needs a new entry in
        every index.
        """
        for _ in range(CALLS_TO_SETTLE):
            before = _versions()
            self.sample(0, flushed=False)
            written, in_same_page = (now - then for now, then in zip(_versions(), before, strict=True))
            if in_same_page >= SETTLED * written:
                return
        print(f"{self.database.name} has not settled in {CALLS_TO_SETTLE} calls", file=sys.stderr)


def _versions() -> tuple[int, int]:
    """How many new versions the executions have had, and how many of them in the same page."""
    execute("SELECT pg_stat_force_next_flush()")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'executions_execution'"
        )
        written, in_same_page = cursor.fetchone()
    return written, in_same_page
