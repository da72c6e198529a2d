"""``update_status`` of a queryset."""

import pytest

from executions.models import Execution
from gef_project.accounts.models import User
from status.exceptions import UnknownStatus
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def one_of_each(db: None) -> dict[Status, Execution]:
    return {status: ExecutionFactory(status=status) for status in Status}


def test_executions_that_can_change_do_and_the_others_stay(
    one_of_each: dict[Status, Execution], admin: User
) -> None:
    before = StatusLog.objects.newest().id
    changed = Execution.objects.update_status(
        Status.RUNNING, progress=7, results={"a": 1}, actor=admin, source="shell", reason="test"
    )
    assert changed == 2
    rows = {row.status_from: row for row in StatusLog.objects.after(before)}
    assert rows.keys() == {Status.PENDING, Status.READY}
    for row in rows.values():
        assert row.execution == one_of_each[Status(row.status_from or "")]
        assert (row.actor, row.source, row.reason) == (admin, "shell", "test")
        assert (row.execution.progress, row.execution.results) == (7, {"a": 1})
    assert Execution.objects.get(pk=one_of_each[Status.FAILED].pk).results == {}
    assert first_fault() is None


def test_an_end_of_many_is_an_end_of_each(one_of_each: dict[Status, Execution]) -> None:
    assert Execution.objects.update_status(Status.FAILED) == 3
    ended = Execution.objects.filter(status=Status.FAILED)
    assert all(execution.end_date and execution.progress == 100 for execution in ended)
    assert first_fault() is None


def test_each_row_counts_from_the_row_before_it() -> None:
    ExecutionFactory.create_batch(4)
    before = StatusLog.objects.newest().id
    Execution.objects.update_status(Status.CANCELLED)
    counts = StatusLog.objects.after(before).values_list("executions_pending", "executions_cancelled")
    assert list(counts) == [(3, 1), (2, 2), (1, 3), (0, 4)]


def test_only_executions_of_the_queryset_change() -> None:
    chosen, other = ExecutionFactory.create_batch(2)
    assert Execution.objects.filter(user__email=chosen.user.email).update_status(Status.READY) == 1
    other.refresh_from_db()
    assert other.status == Status.PENDING


def test_the_number_of_statements_does_not_grow(django_assert_num_queries) -> None:
    ExecutionFactory.create_batch(30)
    with django_assert_num_queries(5):  # attribute; change; reset; and the savepoint of a test
        Execution.objects.update_status(Status.READY)


def test_an_empty_queryset_changes_nothing() -> None:
    newest = StatusLog.objects.newest()
    assert Execution.objects.none().update_status(Status.READY) == 0
    assert StatusLog.objects.newest() == newest


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(UnknownStatus):
        Execution.objects.update_status("EXPIRED")
