"""What pages of the admin show of executions, each by a bounded number of index look-ups.

Nothing here counts, sorts or skips through the table: where no index gives exactly what is asked for, the
first so many rows of an index are looked through, and the caller is told how far that was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet

from executions.models import Execution, ExecutionQuerySet
from status.models import StatusLog
from status.states import TERMINAL, Status, in_order

LOOKED_THROUGH = 20_000  # rows
OWN_ROWS = 2_000  # of a user
FAILURES_COMPARED = 500
SHOWN = 10  # rows of a panel


def rows() -> ExecutionQuerySet:
    """For lists: without documents, which may be megabytes."""
    return Execution.objects.select_related("script", "user").defer("params", "results")


Place = tuple[datetime, UUID]  # of a row in lists: its creation and, since many may share that, its id
NEWEST_FIRST, OLDEST_FIRST = ("-start_date", "-id"), ("start_date", "id")
Order = tuple[str, str]


def beyond(place: Place | None, order: Order) -> Q:
    """The rows after the place; as one range with a check at its end, which is what an index can seek."""
    if place is None:
        return Q()
    time, pk = place
    if order == NEWEST_FIRST:
        return Q(start_date__lte=time) & (Q(start_date__lt=time) | Q(pk__lt=pk))
    return Q(start_date__gte=time) & (Q(start_date__gt=time) | Q(pk__gt=pk))


def up_to(place: Place | None, order: Order) -> Q:
    """The rows before the place, and the one that is there."""
    if place is None:
        return Q()
    time, pk = place
    if order == NEWEST_FIRST:
        return Q(start_date__gte=time) & (Q(start_date__gt=time) | Q(pk__gte=pk))
    return Q(start_date__lte=time) & (Q(start_date__lt=time) | Q(pk__lte=pk))


_LAST = """
    SELECT start_date, id, count(*) OVER () FROM ({}) AS looked_through ORDER BY start_date {}, id {} LIMIT 1
"""


def bound_of(rows: QuerySet[Execution], order: Order) -> Place | None:
    """The place of the last of the first ``LOOKED_THROUGH`` rows, if there are as many."""
    try:
        sql, params = (
            rows.order_by(*order).values("start_date", "id")[:LOOKED_THROUGH].query.sql_with_params()
        )
    except EmptyResultSet:
        return None
    back = "ASC" if order == NEWEST_FIRST else "DESC"
    with connection.cursor() as cursor:
        cursor.execute(_LAST.format(sql, back, back), params)
        found = cursor.fetchone()
    return found[:2] if found and found[2] == LOOKED_THROUGH else None


def has_few(user_id: UUID | None) -> bool:
    """Whether the user's executions can all be read and sorted.

    No index has them in the order of lists. Those of somebody with many are found in any part of that order.
    """
    some = Execution.objects.filter(user=user_id).open_first()[: OWN_ROWS + 1]
    return some.count() <= OWN_ROWS


def _oldest_active(status: Status) -> QuerySet[Execution]:
    """Those in the status, among the oldest that have not ended."""
    bound = bound_of(Execution.objects.active(), OLDEST_FIRST)
    return rows().active().filter(up_to(bound, OLDEST_FIRST), status=status).order_by(*OLDEST_FIRST)


def running() -> list[Execution]:
    """Those that run, the oldest first."""
    return list(_oldest_active(Status.RUNNING)[:SHOWN])


def oldest_waiting() -> Execution | None:
    """The oldest that no worker has claimed."""
    return _oldest_active(Status.PENDING)[:1].first()


def last_failures() -> list[Execution]:
    """Those that failed last, with their ``reason``; of the failures that were created last."""
    newest = Execution.objects.filter(outcome=Status.FAILED).order_by(*NEWEST_FIRST)
    ends = newest.values_list("end_date", "pk")[:FAILURES_COMPARED]
    last = [pk for _, pk in sorted(ends, reverse=True)[:SHOWN]]
    found = rows().filter(pk__in=last)
    return with_reasons(sorted(found, key=lambda one: (one.end_date, one.pk), reverse=True))


def with_reasons(executions: Iterable[Execution]) -> list[Execution]:
    """Each with ``reason``, why it ended as it did, as the ledger says; empty for one that finished."""
    found = list(executions)
    ended = [one.pk for one in found if one.outcome in {Status.FAILED, Status.CANCELLED}]
    logs = StatusLog.objects.filter(execution__in=ended, status_to__in=in_order(TERMINAL)).order_by("id")
    reasons: dict[UUID, str] = dict(logs.values_list("execution", "reason"))
    for one in found:
        one.reason = reasons.get(one.pk, "")  # type: ignore[attr-defined]
    return found


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
