"""A real Celery worker: what it does with messages, signals and its own death."""

import signal
from datetime import timedelta

import pytest
from celery import current_app
from django.apps import apps
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from executions import monitoring
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.operations import schedule
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import Celery, celery, eventually, is_running

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


def test_a_worker_told_to_quit_stops_its_runs(worker: Celery, owner: User, sleepers: Script) -> None:
    execution = sleepers.run(owner)
    started = pids(execution)
    worker.signal(signal.SIGQUIT)
    worker.wait()
    assert execution.status_logs.newest().reason == "its worker was shut down"
    assert not any(map(is_running, started))


def test_a_worker_told_to_terminate_lets_its_runs_end(worker: Celery, owner: User) -> None:
    script = ScriptFactory(command=["python", "-c", "import time; print(1, flush=True); time.sleep(2)"])
    execution = script.run(owner)
    eventually(execution.logs.exists)
    worker.signal(signal.SIGTERM)
    worker.wait()
    assert has(execution, Status.FINISHED)


def test_the_runs_of_a_killed_worker_have_failed_and_are_stopped(
    worker: Celery, owner: User, sleepers: Script, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    execution = sleepers.run(owner)
    started = pids(execution)
    worker.kill()
    assert all(map(is_running, started))
    settings.WORKER_GRACE = timedelta(0)
    monkeypatch.setattr(monitoring, "ORPHANED_AFTER", timedelta(0))
    assert monitoring.fail_lost() == 1
    assert monitoring.stop_orphans() == 2
    end = execution.status_logs.newest()
    assert (end.status_from, end.status_to, end.source) == (Status.RUNNING, Status.FAILED, "monitor")
    assert f"worker {now(execution).worker} has not been heard of since" in end.reason
    eventually(lambda: not any(map(is_running, started)))
    assert first_fault() is None


def test_the_scheduler_has_lost_executions_failed(worker: Celery, execution: Execution) -> None:
    schedule.install(apps)
    every_second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    monitor = PeriodicTask.objects.get(name="monitor-executions")
    monitor.crontab, monitor.interval = None, every_second
    monitor.save()
    execution.claim("gone")
    Execution.objects.filter(pk=execution.pk).update(
        heartbeat_at=now(execution).start_date - timedelta(days=1)
    )
    with celery("beat", "--pidfile", "", "--max-interval", "1"):
        eventually(lambda: has(execution, Status.FAILED))
    assert StatusLog.objects.newest().source == "monitor"
