"""Row 7: reading a long status log, as the API does it and in the usual ways."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import TruncHour
from django.test.utils import CaptureQueriesContext
from tqdm import tqdm

from benchmarks.datasets import PREFIX, bulk, ensure_database, key_of, settle
from benchmarks.plan import Plan
from benchmarks.report import Line, duration
from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.aggregation import buckets
from status.buckets import boundaries
from status.models import StatusLog, StatusLogQuerySet
from status.states import ACTIVE, Status, count_field
from status.verification import first_fault

PER_PAGE = 100
REPEATED = 20  # times that what is fast is done for one figure

Read = Callable[[], object]

# Every execution is created, made READY, RUNNING, and ends, each a random while after the other.
_EXECUTIONS = """
    INSERT INTO executions_execution (id, script_id, user_id, params, results, status, progress,
        start_date, end_date, notified_at, worker)
    SELECT md5(nth::text)::uuid, %(script)s, %(user)s, '{}', '{}',
        (ARRAY['FINISHED', 'FINISHED', 'FINISHED', 'FAILED', 'CANCELLED'])[1 + nth %% 5], 100,
        started, ended, ended, ''
    FROM (
        SELECT nth, started, started + interval '1 day' * (0.1 + random()) AS ended
        FROM generate_series(1, %(count)s) AS nth,
            LATERAL (SELECT now() - interval '1 year' * (1 - nth::float / %(count)s)) AS times (started)
    ) AS numbered ORDER BY nth
"""
_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE status_to = '{status}') OVER in_order"
    f" - count(*) FILTER (WHERE status_from = '{status}') OVER in_order AS {count_field(status)}"
    for status in Status
)
_NAMES = ", ".join(count_field(status) for status in Status)
_TRANSITIONS = f"""
    INSERT INTO status_log (id, timestamp, execution_id, status_from, status_to, source, reason,
        {_NAMES}, executions_active)
    SELECT (SELECT max(id) FROM status_log) + nth, timestamp, execution_id, status_from, status_to,
        'bench', '', {_NAMES}, {" + ".join(count_field(status) for status in sorted(ACTIVE))}
    FROM (
        SELECT transitions.*, row_number() OVER in_order AS nth, {_COUNTS}
        FROM (
            SELECT execution.id AS execution_id, one.*
            FROM executions_execution AS execution, LATERAL (VALUES
                (NULL, 'PENDING', start_date),
                ('PENDING', 'READY', start_date + (end_date - start_date) * 0.1),
                ('READY', 'RUNNING', start_date + (end_date - start_date) * 0.2),
                ('RUNNING', status, end_date)
            ) AS one (status_from, status_to, timestamp)
        ) AS transitions
        WINDOW in_order AS (ORDER BY timestamp, execution_id, status_to ROWS UNBOUNDED PRECEDING)
    ) AS counted ORDER BY nth
"""


def ensure_log(rows: int) -> None:
    """Connect to a database with a correct status log of that length, over a year; create it if need be."""
    if not ensure_database(f"{PREFIX}log_{rows}"):
        return
    # Its first row is older than what follows.
    with bulk("status_log") as cursor:
        cursor.execute("UPDATE status_log SET timestamp = now() - interval '2 years'")
    parameters = {"script": Script.objects.get().pk, "user": User.objects.get().pk, "count": rows // 4}
    with bulk(Execution._meta.db_table) as cursor:
        cursor.execute(_EXECUTIONS, parameters)
    with bulk("status_log") as cursor:
        cursor.execute(_TRANSITIONS)
    settle()


def reading(plan: Plan) -> Iterator[Line]:
    ensure_log(plan.log_rows)
    if plan.log_rows <= 1_000_000 and (fault := first_fault()):
        raise RuntimeError(f"The ledger that was built is not true: {fault}")
    logs = StatusLog.objects.all()
    newest = logs.newest().timestamp
    start, end = newest - timedelta(days=200), newest - timedelta(days=50)
    key = key_of(plan.log_rows // 8)
    reads: dict[str, Read] = {
        "newest": lambda: page(logs, 0),
        "newest, usual": lambda: usual_page(logs, 0),
        "deep": lambda: page(logs, plan.deep),
        "deep, usual": lambda: usual_page(logs, plan.deep),
        "range": lambda: page(logs, 0, start, end),
        "range, usual": lambda: usual_page(logs, 0, start, end),
        "execution": lambda: list(logs.filter(execution=key).order_by("id")),
        "execution, usual": lambda: usual_page(logs.filter(execution=key), 0),
        "year": lambda: list(year_by_hour(newest)),
        "year, usual": lambda: list(usual_year_by_hour(newest)),
    }
    took: dict[str, list[float]] = {name: [] for name in reads}
    for _ in tqdm(range(plan.rounds), desc="7 Reading"):
        for name, read in reads.items():
            took[name].append(_seconds(read, 1 if "usual" in name else REPEATED))
    yield from _lines(plan, took)
    with CaptureQueriesContext(connection) as queries:
        page(logs, 0, start, end)
    counted = any("count(" in query["sql"].lower() for query in queries)
    what = "`total` counts rows: the statements of that page have a COUNT"
    yield Line(7, what, "yes" if counted else "no", bar="no", reached="**no**" if counted else "yes")


def _lines(plan: Plan, took: dict[str, list[float]]) -> Iterator[Line]:
    what = {
        "newest": f"the newest {PER_PAGE} of {plan.log_rows:,} log rows, and their total",
        "deep": f"{PER_PAGE} rows after {plan.deep:,}, and the total",
        "range": f"the newest {PER_PAGE} rows of 150 days, and their total",
        "execution": "the rows of one execution",
        "year": "a year by hour: the counts at each hour's end, how many ended in it",
    }
    usual = {"year": "GROUP BY", "deep": "COUNT, OFFSET", "execution": "COUNT, LIMIT"}
    for name, text in what.items():
        if name == "deep":
            first = (took["deep"], took["newest"])
            yield duration(7, text, took[name], "this / the newest", first, 1 / 1.3)
        else:
            yield duration(7, text, took[name])
        pair = (took[name], took[f"{name}, usual"])
        bar = 10.0 if name == "year" and plan.log_rows >= 10_000_000 else None
        yield duration(7, f"the same by {usual.get(name, 'COUNT, LIMIT')}", pair[1], "ours / this", pair, bar)


def _seconds(read: Read, times: int) -> float:
    read()
    start = time.perf_counter()
    for _ in range(times):
        read()
    return (time.perf_counter() - start) / times


# --- As the API does it ---------------------------------------------------------------------------------


def page(
    logs: StatusLogQuerySet, offset: int, start: datetime | None = None, end: datetime | None = None
) -> tuple[int, list[StatusLog]]:
    ids = logs.ids_between(start, end)[::-1]
    return len(ids), list(logs.with_ids(ids[offset : offset + PER_PAGE]))


def year_by_hour(newest: datetime) -> list[dict[str, Any]]:
    return buckets(boundaries("hour", newest - timedelta(days=365), newest, UTC))


# --- As it is usually done ------------------------------------------------------------------------------


def usual_page(
    logs: StatusLogQuerySet, offset: int, start: datetime | None = None, end: datetime | None = None
) -> tuple[int, list[StatusLog]]:
    if start and end:
        logs = logs.filter(timestamp__range=(start, end))
    return logs.count(), list(logs.order_by("-id")[offset : offset + PER_PAGE])


def usual_year_by_hour(newest: datetime) -> list[Any]:
    rows = StatusLog.objects.filter(timestamp__range=(newest - timedelta(days=365), newest))
    return list(
        rows.order_by()
        .annotate(hour=TruncHour("timestamp"))
        .values("hour")
        .annotate(**{status.lower(): Count("id", filter=Q(status_to=status)) for status in Status})
        .order_by("hour")
    )
