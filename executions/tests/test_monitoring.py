"""Lost, overdue and stale executions: who is failed, who is handed out again, and who is left alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from executions import monitoring, tasks
from executions.models import Execution, LeaseClock, Script
from gef_project.accounts.models import User
from status.models import StatusLog
from status.states import TERMINAL, Status
from status.verification import first_fault

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db

LONG = timedelta(minutes=10)  # longer than the grace period


@pytest.fixture(autouse=True)
def renewed_for_long(db: None) -> None:
    """Leases have been renewed all the time."""
    LeaseClock.objects.create(steady_since=ago(timedelta(days=1)))


def ago(age: timedelta) -> Any:
    return timezone.now() - age


def on_worker(execution: Execution, *, silent_for: timedelta, worker: str = "w1") -> Execution:
    execution.claim(worker)
    Execution.objects.filter(pk=execution.pk).update(heartbeat_at=ago(silent_for))
    return execution


def status(execution: Execution) -> str:
    return Execution.objects.get(pk=execution.pk).status


@pytest.mark.parametrize("went_on_to", [Status.READY, Status.RUNNING])
def test_an_execution_whose_worker_is_silent_has_failed(execution: Execution, went_on_to: Status) -> None:
    on_worker(execution, silent_for=LONG).update_status(went_on_to)
    heard_of = Execution.objects.get().heartbeat_at
    assert monitoring.fail_lost() == 1
    end = StatusLog.objects.newest()
    assert (end.status_from, end.status_to, end.source) == (went_on_to, Status.FAILED, "monitor")
    assert end.reason == f"worker w1 has not been heard of since {heard_of:%Y-%m-%d %H:%M:%S} UTC"
    assert monitoring.fail_lost() == 0


def test_each_lost_worker_is_named(owner: User) -> None:
    lost = {worker: on_worker(ExecutionFactory(), silent_for=LONG, worker=worker) for worker in ("w1", "w2")}
    assert monitoring.fail_lost() == 2
    for worker, execution in lost.items():
        assert f"worker {worker} " in execution.status_logs.newest().reason


def test_an_execution_whose_lease_is_renewed_is_left_alone(execution: Execution) -> None:
    on_worker(execution, silent_for=LONG)
    Execution.objects.filter(pk=execution.pk).heartbeat()
    assert monitoring.fail_lost() == 0


def test_nothing_has_failed_before_every_machine_could_renew_its_leases(execution: Execution) -> None:
    on_worker(execution, silent_for=LONG)
    clock = LeaseClock.objects.filter(pk=1)
    clock.update(renewed_at=ago(LONG))  # nobody renews: the database was away for all of them
    assert monitoring.fail_lost() == 0
    LeaseClock.tick()  # the first who does
    assert monitoring.fail_lost() == 0
    clock.update(steady_since=ago(timedelta(seconds=170)))
    assert monitoring.fail_lost() == 0
    clock.update(steady_since=ago(timedelta(seconds=190)))
    LeaseClock.tick()
    assert monitoring.fail_lost() == 1


def test_a_lost_execution_is_run_again_as_often_as_its_script_allows(
    execution: Execution, settings: Settings, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    Script.objects.update(attempts=3, retry_delay=60)
    for attempt, delay in ((1, 60), (2, 120)):
        on_worker(execution, silent_for=LONG).update_status(Status.RUNNING)
        assert monitoring.fail_lost() == 1
        execution.refresh_from_db()
        pending, ready = execution.status_logs.order_by("-id")[:2]
        assert (ready.status_from, ready.status_to) == (Status.RUNNING, Status.READY)
        assert ready.reason.startswith(f"attempt {attempt} of 3: worker w1 has not been heard of since ")
        assert (pending.status_to, pending.reason) == (
            Status.PENDING,
            f"attempt {attempt + 1} of 3, after {delay} s",
        )
        assert (execution.attempt, execution.worker, execution.heartbeat_at) == (attempt + 1, "", None)
        with django_capture_on_commit_callbacks() as messages:
            assert monitoring.requeue_overdue() == 0
            assert execution.run_after
            Execution.objects.update(run_after=execution.run_after - timedelta(seconds=delay))
            assert monitoring.requeue_overdue() == 1
            assert monitoring.requeue_overdue() == 0
        assert len(messages) == 1
    on_worker(execution, silent_for=LONG).update_status(Status.RUNNING)
    assert monitoring.fail_lost() == 1
    assert status(execution) == Status.FAILED
    assert first_fault() is None


def test_a_lost_execution_that_was_not_begun_is_handed_out_again(execution: Execution) -> None:
    Script.objects.update(attempts=2)
    on_worker(execution, silent_for=LONG)
    assert monitoring.fail_lost() == 1
    end = StatusLog.objects.newest()
    assert (end.status_from, end.status_to) == (Status.READY, Status.PENDING)


def test_an_execution_just_taken_is_left_alone(execution: Execution) -> None:
    execution.claim("w1")
    assert monitoring.fail_lost() == 0


def test_an_execution_on_a_worker_outside_is_left_alone(execution: Execution) -> None:
    execution.update_status(Status.RUNNING, source="api")
    Execution.objects.update(start_date=ago(LONG), queued_at=ago(LONG))
    assert (monitoring.fail_lost(), monitoring.requeue_overdue()) == (0, 0)


@pytest.mark.parametrize("end", sorted(TERMINAL))
def test_what_has_ended_is_left_alone(execution: Execution, end: Status) -> None:
    on_worker(execution, silent_for=LONG).update_status(end)
    Execution.objects.update(start_date=ago(timedelta(days=9)), queued_at=ago(LONG))
    assert (monitoring.fail_lost(), monitoring.fail_stale(), monitoring.requeue_overdue()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("minutes_before", "minutes_since", "again"),
    [(0, 2, 0), (0, 4, 1), (5, 4, 0), (5, 5.5, 1), (600, 5.5, 0), (600, 6.5, 1)],
)
def test_a_pending_execution_is_queued_again_less_and_less_often(
    execution: Execution,
    minutes_before: float,
    minutes_since: float,
    again: int,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    queued_at = ago(timedelta(minutes=minutes_since))
    start_date = queued_at - timedelta(minutes=minutes_before)
    Execution.objects.update(start_date=start_date, queued_at=queued_at)
    with django_capture_on_commit_callbacks() as messages:
        assert monitoring.requeue_overdue() == again
        assert monitoring.requeue_overdue() == 0
    assert len(messages) == again
    assert status(execution) == Status.PENDING


def test_an_execution_that_was_never_queued_is_not_handed_out(execution: Execution) -> None:
    Execution.objects.update(start_date=ago(LONG))
    assert monitoring.requeue_overdue() == 0


@pytest.mark.parametrize("went_on_to", [Status.PENDING, Status.READY, Status.RUNNING])
def test_a_stale_execution_has_failed(execution: Execution, went_on_to: Status) -> None:
    execution.update_status(went_on_to)
    recent = ExecutionFactory()
    for stale, days in ((execution, 3.1), (recent, 2.9)):
        Execution.objects.filter(pk=stale.pk).update(start_date=ago(timedelta(days=days)))
    tasks.clean_up_stale_executions()
    tasks.clean_up_stale_executions()
    end = StatusLog.objects.newest()
    assert (end.execution_id, end.status_to, end.source) == (execution.pk, Status.FAILED, "cleanup")
    assert end.reason == "not ended 3 days after its creation"
    assert status(recent) == Status.PENDING


def test_the_monitor_does_all_of_it(execution: Execution, settings: Settings) -> None:
    on_worker(execution, silent_for=LONG)
    tasks.monitor_executions()
    assert status(execution) == Status.FAILED
