"""``Execution.update_status`` over one connection."""

import pytest
from django.db import DataError, connection

from executions.models import Execution
from gef_project.accounts.models import User
from status.exceptions import ExecutionGone, IllegalTransition, UnknownStatus
from status.models import StatusLog
from status.states import ACTIVE, TERMINAL, TRANSITIONS, Status
from status.verification import first_fault

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db

LEGAL = [(source, target) for source in TRANSITIONS for target in Status if target in TRANSITIONS[source]]
ILLEGAL = [
    (source, target)
    for source in TRANSITIONS
    for target in Status
    if target not in TRANSITIONS[source] and target != source
]


def other_instance(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


@pytest.mark.parametrize(("status_from", "status_to"), LEGAL)
def test_a_legal_transition_changes_the_status_and_logs_it(status_from: Status, status_to: Status) -> None:
    execution = ExecutionFactory(status=status_from)
    log = execution.update_status(status_to)
    assert log == StatusLog.objects.newest()
    assert (log.execution_id, log.status_from, log.status_to) == (execution.pk, status_from, status_to)
    assert other_instance(execution).status == execution.status == status_to
    assert first_fault() is None


def test_the_row_that_it_returns_is_the_one_in_the_database(execution: Execution, owner: User) -> None:
    log = execution.update_status(Status.RUNNING, actor=owner, source="api", reason="\u2603 now")
    assert log is not None
    stored = StatusLog.objects.newest()
    for field in StatusLog._meta.concrete_fields:
        assert repr(getattr(log, field.attname)) == repr(getattr(stored, field.attname))
    assert log._state.db == stored._state.db
    assert not log._state.adding


@pytest.mark.parametrize(("status_from", "status_to"), ILLEGAL)
def test_an_illegal_transition_is_refused_and_changes_nothing(status_from: Status, status_to: Status) -> None:
    execution = ExecutionFactory(status=status_from)
    newest = StatusLog.objects.newest()
    with pytest.raises(IllegalTransition) as refusal:
        execution.update_status(status_to, progress=3, results={"a": 1})
    assert (refusal.value.status_from, refusal.value.status_to) == (status_from, status_to)
    assert set(refusal.value.allowed) == TRANSITIONS[status_from]
    unchanged = other_instance(execution)
    assert (unchanged.status, unchanged.results) == (status_from, {})
    assert StatusLog.objects.newest() == newest


@pytest.mark.parametrize("status", Status)
def test_the_same_status_again_is_no_transition(status: Status) -> None:
    execution = ExecutionFactory(status=status)
    newest = StatusLog.objects.newest()
    assert execution.update_status(status) is None
    assert StatusLog.objects.newest() == newest


def test_a_report_with_the_same_status_is_stored_while_the_run_goes_on() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    assert execution.update_status(Status.RUNNING, progress=40, results={"rows": 2}) is None
    stored = other_instance(execution)
    assert (stored.progress, stored.results) == (40, {"rows": 2})


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_report_with_the_same_terminal_status_changes_nothing(status: Status) -> None:
    execution = ExecutionFactory(status=status)
    before = other_instance(execution)
    assert execution.update_status(status, progress=40, results={"rows": 2}) is None
    after = other_instance(execution)
    assert (after.progress, after.results, after.end_date) == (100, {}, before.end_date)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_end_sets_the_end_date_and_full_progress(execution: Execution, status: Status) -> None:
    execution.update_status(status)
    ended = other_instance(execution)
    assert ended.end_date is not None
    assert ended.progress == 100


def test_an_end_keeps_the_progress_that_comes_with_it(execution: Execution) -> None:
    execution.update_status(Status.FAILED, progress=63)
    assert other_instance(execution).progress == 63


@pytest.mark.parametrize("status", sorted(ACTIVE - {Status.PENDING}))
def test_a_run_that_goes_on_has_no_end_date(execution: Execution, status: Status) -> None:
    execution.update_status(status)
    assert other_instance(execution).end_date is None


def test_the_row_says_who_and_why(execution: Execution, admin: User) -> None:
    execution.update_status(Status.FAILED, actor=admin, source="shell", reason="disk full")
    log = StatusLog.objects.newest()
    assert (log.actor, log.source, log.reason) == (admin, "shell", "disk full")


def test_a_stale_instance_uses_the_present_status(execution: Execution) -> None:
    stale = other_instance(execution)
    execution.update_status(Status.RUNNING)
    log = stale.update_status(Status.FINISHED)
    assert log is not None
    assert log.status_from == Status.RUNNING


def test_a_stale_instance_is_refused_by_the_present_status(execution: Execution) -> None:
    stale = other_instance(execution)
    execution.update_status(Status.CANCELLED)
    with pytest.raises(IllegalTransition) as refusal:
        stale.update_status(Status.RUNNING)
    assert refusal.value.status_from == Status.CANCELLED


def test_a_stale_instance_sees_that_there_is_no_transition(execution: Execution) -> None:
    stale = other_instance(execution)
    execution.update_status(Status.FINISHED)
    assert stale.update_status(Status.FINISHED) is None


def test_an_unknown_status_is_refused(execution: Execution) -> None:
    with pytest.raises(UnknownStatus, match="SUBMITTED"):
        execution.update_status("SUBMITTED")


def test_a_deleted_execution_cannot_change(execution: Execution) -> None:
    other_instance(execution).delete()
    with pytest.raises(ExecutionGone):
        execution.update_status(Status.RUNNING)


def test_cancel_cancels(execution: Execution, owner: User) -> None:
    log = execution.cancel(actor=owner, source="api", reason="not needed")
    assert log is not None
    assert (log.status_to, log.actor, log.reason) == (Status.CANCELLED, owner, "not needed")


@pytest.mark.django_db(transaction=True)
def test_a_transition_outside_of_a_transaction_is_committed_by_its_own_statement(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by_others: list[str] = []

    def commit() -> None:
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT status FROM executions_execution")
            seen_by_others.extend(status for (status,) in cursor.fetchall())
        other.close()

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_commit", commit)  # what Django calls afterwards
        execution.update_status(Status.RUNNING)
    assert seen_by_others == [Status.RUNNING]


def test_results_read_back_equal_to_what_was_sent(execution: Execution) -> None:
    results = {"z": [1.5, None, True, "\x00", "\ud800", "é"], "a": {"big": 2**70, "x": 1e300}}
    execution.update_status(Status.FINISHED, results=results)
    stored = other_instance(execution).results
    assert stored == results
    assert list(stored) == ["z", "a"]


def test_a_failing_log_row_leaves_the_status_alone(execution: Execution) -> None:
    with pytest.raises(DataError, match="too long"):
        execution.update_status(Status.RUNNING, source="s" * 21)
    assert other_instance(execution).status == Status.PENDING
