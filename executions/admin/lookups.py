"""What pages of the admin show of executions, each by a bounded number of index look-ups.

Nothing here counts, sorts or skips through the table: where no index gives exactly what is asked for, the
first so many rows of an index are looked through, and the caller is told how far that was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, Min, QuerySet

from executions.models import Execution, ExecutionQuerySet
from status.models import StatusLog
from status.states import TERMINAL, Status, in_order

LOOKED_THROUGH = 20_000  # rows
OWN_ROWS = 2_000  # of a user
SHOWN = 10  # rows of a panel


def rows() -> ExecutionQuerySet:
    """For lists: without documents, which may be megabytes."""
    return Execution.objects.select_related("script", "user").defer("params", "results")


@dataclass(frozen=True)
class Bound:
    """How far the first rows of an order reach, and whether there are more behind them."""

    last: datetime | None
    is_cut: bool


def bound_of(ordered: QuerySet[Execution], column: str = "start_date", most: int | None = None) -> Bound:
    """The place of the last of the first ``most`` rows, in an order by ``column`` that an index has."""
    most = most or LOOKED_THROUGH
    ascending = not str(ordered.query.order_by[0]).startswith("-")
    place = (Max if ascending else Min)(column)
    found = ordered.values(column)[:most].aggregate(last=place, rows=Count(column))
    return Bound(found["last"], found["rows"] == most)


def has_few(user_id: UUID | None) -> bool:
    """Whether the user's executions can all be read and sorted.

    No index has them in the order of lists. Those of somebody with many are found in any part of that order.
    """
    some = Execution.objects.filter(user=user_id).open_first()[: OWN_ROWS + 1]
    return some.count() <= OWN_ROWS


def running(most: int = SHOWN) -> list[Execution]:
    """Those that run, the oldest first."""
    oldest = Execution.objects.active().order_by("start_date")
    last = bound_of(oldest).last
    if last is None:
        return []
    found = rows().active().filter(status=Status.RUNNING, start_date__lte=last)
    return list(found.order_by("start_date")[:most])


def last_failures(most: int = SHOWN) -> list[Execution]:
    """Those that failed last, with their ``reason``.

    Of the last ends all, and of earlier ones those that were created last.
    """
    failed = rows().filter(outcome=Status.FAILED)
    ended = Execution.objects.filter(end_date__isnull=False).order_by("-end_date")
    last = bound_of(ended, "end_date").last
    of_late = failed.filter(end_date__gte=last).order_by("-end_date")[:most] if last else []
    found = {
        execution.pk: execution for execution in [*of_late, *failed.order_by("-start_date", "-id")[:most]]
    }
    failures = sorted(found.values(), key=lambda one: (one.end_date, one.pk), reverse=True)[:most]
    return with_reasons(failures)


def with_reasons(executions: Iterable[Execution]) -> list[Execution]:
    """Each with ``reason``, why it ended as it did, as the ledger says; empty for one that finished."""
    found = list(executions)
    ended = [one.pk for one in found if one.outcome in {Status.FAILED, Status.CANCELLED}]
    logs = StatusLog.objects.filter(execution__in=ended, status_to__in=in_order(TERMINAL)).order_by("id")
    reasons: dict[UUID, str] = dict(logs.values_list("execution", "reason"))
    for one in found:
        one.reason = reasons.get(one.pk, "")  # type: ignore[attr-defined]
    return found


def oldest_waiting() -> Execution | None:
    """The oldest that no worker has claimed."""
    oldest = Execution.objects.active().order_by("start_date")
    last = bound_of(oldest).last
    if last is None:
        return None
    waiting = rows().active().filter(status=Status.PENDING, start_date__lte=last)
    return waiting.order_by("start_date").first()


@dataclass(frozen=True)
class ScriptFigures:
    """Of a script's last runs: how many there are, how many failed of those that ended, and how long."""

    slug: str
    name: str
    pk: UUID
    runs: int
    ended: int
    failed: int
    median: timedelta | None

    @property
    def failure_rate(self) -> int | None:
        """Percent."""
        return round(100 * self.failed / self.ended) if self.ended else None


_LATELY = 1_000  # executions, whose scripts are shown
RUNS = 100  # of each script

_FIGURES = f"""
    SELECT script.slug, script.name, script.id, run.*
    FROM (
        SELECT script_id, count(*) AS lately FROM (
            SELECT script_id FROM executions_execution ORDER BY start_date DESC, id DESC LIMIT {_LATELY}
        ) AS newest GROUP BY script_id ORDER BY lately DESC, script_id LIMIT {SHOWN}
    ) AS used
    JOIN executions_script AS script ON script.id = used.script_id
    CROSS JOIN LATERAL (
        SELECT count(*), count(outcome), count(*) FILTER (WHERE outcome = '{Status.FAILED}'),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY end_date - started_at)
        FROM (
            SELECT outcome, end_date, started_at FROM executions_execution
            WHERE script_id = script.id ORDER BY start_date DESC, id DESC LIMIT {RUNS}
        ) AS last_runs
    ) AS run
    ORDER BY used.lately DESC, script.slug
"""


def scripts_in_use() -> list[ScriptFigures]:
    """The scripts that were run most of late, each with the figures of its last runs."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return [ScriptFigures(*row) for row in found]
