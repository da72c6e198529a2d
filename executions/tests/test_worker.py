"""A real Celery worker: what it does with messages, signals and its own death."""

import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import current_app
from django.apps import apps
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django.live_server_helper import LiveServer

from executions.models import Execution, LeaseClock, Script
from gef_project.accounts.models import User
from gef_project.operations import schedule
from status.models import StatusLog
from status.states import TERMINAL, Status
from status.tests.concurrency import uncommitted
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import Celery, celery, eventually, is_running, started_worker

pytestmark = pytest.mark.django_db(transaction=True)

# Writes its pid and a child's, which both ignore everything but SIGKILL.
SLEEPERS = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, f"{os.getpid()}\\n".encode())
time.sleep(100)
"""


@pytest.fixture
def sleepers(db: None) -> Script:
    return ScriptFactory(command=["python", "-c", SLEEPERS])


def now(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def has(execution: Execution, *statuses: Status) -> bool:
    return now(execution).status in statuses


def pids(execution: Execution) -> list[int]:
    """Those of the two sleepers, once they have said them."""
    eventually(lambda: execution.logs.count() == 2)
    return [int(text) for text in execution.logs.values_list("text", flat=True)]


def run_by_message(execution: Execution) -> None:
    current_app.send_task("executions.tasks.run_execution", [str(execution.pk)])


def test_a_message_that_comes_twice_runs_the_script_once(worker: Celery, owner: User) -> None:
    script = ScriptFactory(command=["python", "-c", "import time; print(1); time.sleep(0.5)"])
    execution = ExecutionFactory(user=owner, script=script)
    for _ in range(4):
        run_by_message(execution)
    eventually(lambda: has(execution, Status.FINISHED))
    run_by_message(execution)
    eventually(lambda: worker.count("run_execution") >= 5 * 2)  # received and succeeded
    assert execution.logs.count() == 1
    assert execution.status_logs.count() == 4
    assert first_fault() is None


def test_two_runs_go_on_at_once(worker: Celery, owner: User, sleepers: Script) -> None:
    first, second = sleepers.run(owner), sleepers.run(owner)
    eventually(lambda: has(first, Status.RUNNING) and has(second, Status.RUNNING))


def test_cancelling_stops_every_process_of_the_run(worker: Celery, owner: User, sleepers: Script) -> None:
    execution = sleepers.run(owner)
    started = pids(execution)
    now(execution).cancel(actor=owner, source="api")
    eventually(lambda: not any(map(is_running, started)))
    assert has(execution, Status.CANCELLED)
    assert first_fault() is None


def test_the_time_limit_of_the_script_is_kept(worker: Celery, owner: User) -> None:
    script = ScriptFactory(command=["python", "-c", "import time; time.sleep(100)"], time_limit=1)
    execution = script.run(owner)
    eventually(lambda: has(execution, Status.FAILED))
    assert execution.status_logs.newest().reason == "time limit of 1 s exceeded"


def test_a_worker_told_to_terminate_lets_its_runs_end(worker: Celery, owner: User) -> None:
    script = ScriptFactory(command=["python", "-c", "import time; print(1, flush=True); time.sleep(2)"])
    execution = script.run(owner)
    eventually(execution.logs.exists)
    worker.send_signal(signal.SIGTERM)
    worker.wait()
    assert has(execution, Status.FINISHED)


@pytest.fixture
def counting(db: None) -> Script:
    code = "import time\nfor n in range(30): print(n, flush=True); time.sleep(0.1)"
    return ScriptFactory(command=["python", "-c", code])


def finished_as_if_nothing_had_happened(execution: Execution) -> None:
    eventually(lambda: has(execution, *TERMINAL))
    assert execution.status_logs.newest().reason == "exit status 0"
    assert list(execution.logs.values_list("text", flat=True)) == [str(n) for n in range(30)]
    assert execution.status_logs.count() == 4
    assert first_fault() is None


def kill_pool(worker: Celery) -> None:
    """Each process of the pool, which the worker replaces."""
    for child in worker.pool():
        child.kill()


@pytest.mark.parametrize("fault", [kill_pool, lambda worker: worker.send_signal_to_pool(signal.SIGTERM)])
def test_a_run_whose_pool_process_is_killed_goes_on(
    worker: Celery, owner: User, counting: Script, fault: Callable[[Celery], None]
) -> None:
    execution = counting.run(owner)
    eventually(execution.logs.exists)
    fault(worker)
    finished_as_if_nothing_had_happened(execution)


FAULTS: list[Callable[[Celery], None]] = [
    Celery.kill,
    lambda worker: worker.send_signal(signal.SIGKILL),
    lambda worker: worker.send_signal(signal.SIGQUIT),
    lambda worker: worker.send_signal_to_group(signal.SIGTERM),
    lambda worker: worker.send_signal_to_group(signal.SIGQUIT),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_goes_on_with_the_next_worker(
    live_server: LiveServer, owner: User, counting: Script, fault: Callable[[Celery], None]
) -> None:
    with started_worker(live_server.url, leave_runs=True) as first:
        execution = counting.run(owner)
        eventually(execution.logs.exists)
        fault(first)
        first.wait()
    with started_worker(live_server.url):
        finished_as_if_nothing_had_happened(execution)


def test_a_run_goes_on_with_another_worker_of_the_machine(
    worker: Celery, live_server: LiveServer, owner: User, counting: Script
) -> None:
    with started_worker(live_server.url, leave_runs=True) as other:
        execution, second = counting.run(owner), counting.run(owner)
        third, fourth = counting.run(owner), counting.run(owner)
        everything = (execution, second, third, fourth)
        eventually(lambda: all(has(each, Status.RUNNING) for each in everything))
        other.kill()
        for each in everything:
            finished_as_if_nothing_had_happened(each)


def test_a_run_that_was_given_up_stops(worker: Celery, owner: User, sleepers: Script) -> None:
    execution = sleepers.run(owner)
    started = pids(execution)
    now(execution).update_status(Status.FAILED, source="monitor", reason="lost")
    eventually(lambda: not any(map(is_running, started)))
    assert first_fault() is None


def test_a_lease_is_renewed_while_another_row_is_locked(execution: Execution) -> None:
    locked = ExecutionFactory()
    with uncommitted(lambda: locked.update_status(Status.RUNNING)):
        assert Execution.objects.heartbeat() == 1
    assert (now(execution).heartbeat_at is None, now(locked).heartbeat_at is None) == (False, True)


def test_the_lease_of_a_run_is_renewed(live_server: LiveServer, owner: User, sleepers: Script) -> None:
    with started_worker(live_server.url, HEARTBEAT_EVERY="1"):
        execution = sleepers.run(owner)
        pids(execution)
        first = now(execution).heartbeat_at
        assert first
        eventually(Execution.objects.filter(heartbeat_at__gt=first).exists)
        eventually(LeaseClock.objects.filter(renewed_at__gt=first).exists)  # the agent's next statement


def test_the_scheduler_has_lost_executions_failed(worker: Celery, execution: Execution) -> None:
    schedule.install(apps)
    every_second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    monitor = PeriodicTask.objects.get(name="monitor-executions")
    monitor.crontab, monitor.interval = None, every_second
    monitor.save()
    execution.claim("gone")
    long_ago = now(execution).start_date - timedelta(days=1)
    LeaseClock.objects.update_or_create(
        pk=1, defaults={"steady_since": long_ago}
    )  # the agent may have made it
    Execution.objects.filter(pk=execution.pk).update(
        heartbeat_at=now(execution).start_date - timedelta(days=1)
    )
    with celery("beat", "--pidfile", "", "--max-interval", "1"):
        eventually(lambda: has(execution, Status.FAILED))
    assert StatusLog.objects.newest().source == "monitor"
