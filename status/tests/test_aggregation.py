"""Buckets, compared with a simple model that reads every row."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory, ScriptFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from status.aggregation import add_over_time, buckets
from status.buckets import UNITS, boundaries
from status.models import StatusLog
from status.retention import prune
from status.states import ACTIVE, TERMINAL, TRANSITIONS, Status, count_field, in_order
from status.verification import first_fault

from .ledger_builders import begin_with_periodic_rows, execute_without_triggers, set_times

pytestmark = pytest.mark.django_db

LEVELS = [*map(count_field, in_order(ACTIVE)), "executions_active"]
ENDS = in_order(TERMINAL)


@dataclass
class Model:
    """The buckets between these boundaries, computed from every row."""

    rows: list[StatusLog]
    boundaries: list[datetime]
    now: datetime
    total: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(ENDS, 0))

    def buckets(self) -> Iterator[dict[str, Any]]:
        for start, end in pairwise(self.boundaries):
            earlier = [row for row in self.rows if row.timestamp < start]
            inside = [row for row in self.rows if start <= row.timestamp < end]
            last = [*earlier, *inside][-1]
            ended = {status: self.ended(status, earlier, inside) for status in ENDS}
            self.total = {status: self.total[status] + ended[status] for status in ENDS}
            yield {
                "timestamp": start,
                **{level: getattr(last, level) for level in LEVELS},
                **{count_field(status): ended[status] for status in ENDS},
                **{f"cumulative_{status.lower()}": self.total[status] for status in ENDS},
                **self.over_time(earlier[-1:], inside, start, min(end, self.now)),
            }

    def ended(self, status: Status, earlier: list[StatusLog], inside: list[StatusLog]) -> int:
        transitions = sum(row.status_to == status for row in inside)
        counted = [row for row in self.rows if row.is_periodic]
        # The first snapshot of the ledger ends the time of the periodic task.
        counted = self.rows[: len(counted) + 1] if counted else []
        before = [row for row in counted if row in earlier] or counted[:1]
        after = [row for row in counted if row in earlier or row in inside][-1:]
        if not after:
            return transitions
        column = count_field(status)
        return transitions + max(int(getattr(after[0], column)) - int(getattr(before[-1], column)), 0)

    def over_time(
        self, carried: list[StatusLog], inside: list[StatusLog], start: datetime, end: datetime
    ) -> dict[str, dict[str, float]]:
        seen = [(max(row.timestamp, start), row) for row in [*carried, *inside]]
        ends = [*(at for at, _ in seen[1:]), end]
        spans = [
            (max((until - at).total_seconds(), 0), row) for (at, row), until in zip(seen, ends, strict=True)
        ]
        seconds = sum(length for length, _ in spans)
        averages, maxima = {}, {}
        for level in LEVELS:
            values = [getattr(row, level) for _, row in spans]
            weighted = sum(length * getattr(row, level) for length, row in spans)
            name = level.removeprefix("executions_")
            averages[name] = pytest.approx(
                weighted / seconds if seconds else sum(values) / len(values), abs=1e-5
            )
            maxima[name] = max(values)
        return {"average": averages, "maximum": maxima}


@dataclass
class History:
    """Random changes of executions, drawn by hypothesis."""

    draw: Any
    script: Script
    user: User

    def create(self) -> None:
        ExecutionFactory(script=self.script, user=self.user)

    def change_status(self) -> None:
        if execution := self.one_of(Execution.objects.active()):
            execution.update_status(self.draw(st.sampled_from(sorted(TRANSITIONS[Status(execution.status)]))))

    def end_all(self) -> None:
        Execution.objects.update_status(self.draw(st.sampled_from(ENDS)))

    def delete(self) -> None:
        if execution := self.one_of(Execution.objects.all()):
            execution.delete()

    def change_without_log_row_and_repair(self) -> None:
        """Change or delete an execution without a log row, and append a snapshot with the true counts."""
        if execution := self.one_of(Execution.objects.all()):
            if self.draw(st.booleans()):
                execute_without_triggers("DELETE FROM executions_execution WHERE id = %s", [execution.pk])
            else:
                status = self.draw(st.sampled_from(ENDS))
                execute_without_triggers(
                    "UPDATE executions_execution SET status = %s, end_date = now() WHERE id = %s",
                    [status, execution.pk],
                )
            StatusLog.objects.append_snapshot(source="repair", reason="changed without a log row")

    def one_of(self, executions: Any) -> Execution | None:
        found = list(executions.order_by("start_date"))  # an order that can be drawn from again
        return self.draw(st.sampled_from(found)) if found else None


CHANGES = [History.create, History.change_status, History.change_status, History.change_status]
CHANGES += [History.create, History.end_all, History.delete, History.change_without_log_row_and_repair]

samples = st.lists(
    st.fixed_dictionaries(
        {name: st.integers(0, 5) for name in ("finished", "failed", "cancelled", "running", "active")}
    ),
    max_size=3,
)
# Around changes of the clocks, and where they are changed at midnight or by half an hour.
beginnings = st.sampled_from(
    [datetime(2024, *day, tzinfo=UTC) for day in ((10, 26), (3, 30), (3, 9), (4, 6))]
)
gaps = st.sampled_from([timedelta(), timedelta(microseconds=1)]) | st.timedeltas(
    timedelta(), timedelta(hours=9)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"])


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), old_rows=samples, begin=beginnings, unit=st.sampled_from(UNITS), zone=zones)
def test_buckets_are_what_the_rows_say(
    data: st.DataObject, old_rows: list[dict[str, int]], begin: datetime, unit: str, zone: str
) -> None:
    with rolled_back():
        history = History(data.draw, ScriptFactory(), UserFactory())
        if old_rows:
            history.create()
            begin_with_periodic_rows(old_rows)
        for change in data.draw(st.lists(st.sampled_from(CHANGES), max_size=12)):
            change(history)
        at, times = begin, []
        for _ in range(StatusLog.objects.count()):
            at += data.draw(gaps)
            times.append(at)
        rows = set_times(times)
        if data.draw(st.booleans()):
            list(prune(data.draw(st.sampled_from(times))))
            rows = list(StatusLog.objects.order_by("id"))
        length = rows[-1].timestamp - rows[0].timestamp
        first = rows[0].timestamp + data.draw(st.timedeltas(timedelta(), length))
        now = rows[-1].timestamp + timedelta(minutes=90)
        bounds = boundaries(unit, first, now, ZoneInfo(zone))
        found = buckets(bounds)
        add_over_time(found, bounds, now, ["average", "maximum"])
        assert found == list(Model(rows, bounds, now).buckets())


def test_an_execution_that_was_deleted_after_its_end_counts_as_ended() -> None:
    first, second = ExecutionFactory.create_batch(2)
    for execution, status in ((first, Status.FINISHED), (second, Status.FAILED)):
        execution.update_status(status)
    Execution.objects.all().delete()
    (bucket,) = buckets(this_day())
    assert (bucket["executions_finished"], bucket["executions_failed"]) == (1, 1)
    assert bucket["executions_active"] == 0


def test_a_count_that_a_snapshot_corrects_does_not_count_as_ended() -> None:
    ExecutionFactory(status=Status.FINISHED)
    execute_without_triggers("UPDATE executions_execution SET status = 'FAILED'")
    StatusLog.objects.append_snapshot(source="repair")
    (bucket,) = buckets(this_day())
    assert (bucket["executions_finished"], bucket["executions_failed"]) == (1, 0)
    assert first_fault() is None


def test_a_year_of_hours_reads_no_row_but_the_boundaries() -> None:
    execution = ExecutionFactory(status=Status.FINISHED)
    execution.delete()
    end = datetime.now(UTC)
    times = boundaries("hour", end - timedelta(days=365), end, UTC)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as queries:
        assert len(buckets(times)) == 8761
    plans = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
    assert len(plans) == 4
    assert all("Seq Scan" not in plan for plan in plans)
    assert "status_log_timestamp" in plans[1]
    assert "status_log_end_undone" in plans[2]
    assert "status_log_snapshot" in plans[3]


def this_day() -> list[datetime]:
    now = datetime.now(UTC)
    return boundaries("day", now, now, UTC)
