"""Many reports in one transaction have the same effect as single ones."""

from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from executions.models import Execution, Report
from gef_project.accounts.models import User
from status.exceptions import ExecutionGone, StatusChangeError
from status.models import StatusLog
from status.states import INITIAL, Status
from status.verification import first_fault

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db

STATUSES: list[str | None] = [None, *(status for status in Status if status != INITIAL)]
ODD = {"a": [1, "\x00", "\ud800", '\\"{,}']}
CONTENTS: list[dict[str, Any]] = [
    {},
    {"progress": 40},
    {"results": ODD},
    {"progress": 100, "results": []},
]
REPORTS: list[dict[str, Any]] = [
    {"status": status, **content} for status, content in product(STATUSES, CONTENTS) if status or content
]


def effects_on(execution: Execution) -> tuple[object, ...]:
    """All that a report can change of an execution."""
    execution.refresh_from_db()
    return (
        execution.status,
        execution.progress,
        execution.results,
        execution.end_date is not None,
        list(execution.logs.values_list("level", "text")),
        list(execution.status_logs.order_by("id").values_list("status_from", "status_to", "source")),
    )


@pytest.mark.parametrize("status", list(Status))
def test_each_report_in_each_status_has_the_effect_of_a_single_one(status: Status) -> None:
    alone = [ExecutionFactory(status=status) for _ in REPORTS]
    together = [ExecutionFactory(status=status) for _ in REPORTS]
    expected = []
    for execution, report in zip(alone, REPORTS, strict=True):
        try:
            expected.append(execution.accept_report(**report, source="worker"))
        except StatusChangeError as error:
            expected.append((type(error), vars(error)))
    refusals = Execution.objects.accept_reports(
        [Report(execution.pk, **report) for execution, report in zip(together, REPORTS, strict=True)],
        source="worker",
    )
    assert [(type(error), vars(error)) if error else None for error in refusals] == expected
    assert [effects_on(execution) for execution in together] == [effects_on(execution) for execution in alone]
    assert first_fault() is None


def test_reports_of_one_execution_are_applied_in_their_order(execution: Execution, admin: User) -> None:
    other = ExecutionFactory()
    refusals = Execution.objects.accept_reports(
        [
            Report(execution.pk, "RUNNING"),
            Report(execution.pk, None, 10),
            Report(other.pk, "READY"),
            Report(execution.pk, None, 20, {"a": 1}),
            Report(execution.pk, "FINISHED"),
            Report(execution.pk, "FINISHED", None, {"a": 1}),
            Report(execution.pk, "RUNNING"),
        ],
        actor=admin,
        source="api",
    )
    assert [type(refusal).__name__ for refusal in refusals] == ["NoneType"] * 6 + ["IllegalTransition"]
    execution.refresh_from_db()
    assert (execution.progress, execution.results) == (100, {"a": 1})
    transitions = execution.status_logs.order_by("id").values_list("status_to", "actor", "source")
    assert list(transitions)[1:] == [("RUNNING", admin.pk, "api"), ("FINISHED", admin.pk, "api")]
    assert first_fault() is None


def test_an_execution_that_is_gone_does_not_stop_the_others(execution: Execution) -> None:
    refusals = Execution.objects.accept_reports([Report(uuid4(), "RUNNING"), Report(execution.pk, "RUNNING")])
    assert [type(refusal) for refusal in refusals] == [ExecutionGone, type(None)]


def test_the_number_of_statements_does_not_grow(django_assert_num_queries) -> None:
    reports = [
        Report(execution.pk, status, number, {"number": number})
        for number, (execution, status) in enumerate(
            zip(ExecutionFactory.create_batch(30), ["RUNNING", "FINISHED", "FAILED"] * 10, strict=True)
        )
    ]
    before = StatusLog.objects.newest().id
    with django_assert_num_queries(6):  # lock; attribute, change, reset; and the savepoint of a test
        assert Execution.objects.accept_reports(reports) == [None] * 30
    changed = StatusLog.objects.after(before).values_list("execution", flat=True)
    assert list(changed) == sorted(report.execution_id for report in reports)
    assert Execution.objects.get(pk=reports[7].execution_id).results == {"number": 7}
