"""Runs whose worker or supervisor has died: the machine's agent goes on, as if nothing had happened."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.db import connection, connections
from psycopg import sql

from executions import agent, monitoring, runner
from executions.models import Execution, LeaseClock, Level, Script
from executions.run import Run, live_runs
from executions.tests.test_runner import DAEMON
from gef_project.accounts.models import User
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import eventually, is_running, kill_runs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    kill_runs()


class WorkerDies(BaseException):
    """What a follower meets in these tests in place of SIGKILL: it gets no chance to do anything more."""


def abandoned(
    owner: User, code: str, monkeypatch: pytest.MonkeyPatch, when: Callable[[Execution], Any], **fields: Any
) -> Execution:
    """An execution whose worker died as soon as ``when`` was true."""
    script = ScriptFactory(command=["python", "-c", code], **fields)
    execution: Execution = ExecutionFactory(user=owner, script=script)
    step = runner.Tail.step

    def step_or_die(follower: runner.Tail) -> bool:
        if when(now(execution)):
            raise WorkerDies
        return step(follower)

    with monkeypatch.context() as patch, pytest.raises(WorkerDies):
        patch.setattr(runner.Tail, "step", step_or_die)
        runner.run(execution, worker="w1")
    return now(execution)


def now(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def has_printed(execution: Execution) -> bool:
    return execution.logs.exists()


def adopt(*executions: Execution) -> None:
    """Have an agent work until these have ended."""
    new = agent.Agent()

    def have_ended() -> bool:
        new.step()
        return not live_runs()

    eventually(have_ended)


def texts(execution: Execution) -> list[str]:
    return list(execution.logs.values_list("text", flat=True))


COUNT = "import time\nfor n in range(20): print(n, flush=True); time.sleep(0.1)"


def test_a_run_goes_on_without_its_worker(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = abandoned(owner, COUNT, monkeypatch, has_printed)
    adopt(execution)
    assert now(execution).status == Status.FINISHED
    assert texts(execution) == [str(n) for n in range(20)]
    assert execution.status_logs.count() == 4
    assert first_fault() is None


def test_a_run_that_nobody_has_seen_start_or_end_is_complete(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; print(1); print('no input', file=sys.stderr); sys.exit(3)"
    execution = abandoned(owner, code, monkeypatch, lambda execution: True)
    assert execution.status == Status.READY
    eventually(Run(execution.pk).end)
    adopt(execution)
    reasons = list(execution.status_logs.order_by("id").values_list("reason", flat=True))
    assert reasons[1] == "claimed by w1"
    assert reasons[2].startswith("process ")
    assert reasons[2].endswith(" on w1")
    assert reasons[3] == "exit status 3: no input"
    assert sorted(texts(execution)) == ["1", "no input"]


def test_the_time_limit_is_kept_without_a_worker(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = abandoned(owner, "import time; time.sleep(60)", monkeypatch, lambda _: True, time_limit=1)
    eventually(Run(execution.pk).end)
    adopt(execution)
    assert execution.status_logs.newest().reason == "time limit of 1 s exceeded"


def test_a_run_without_its_worker_can_be_cancelled(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = abandoned(owner, DAEMON + "time.sleep(60)", monkeypatch, has_printed)
    execution.cancel(actor=owner, source="api")
    adopt(execution)
    assert now(execution).status == Status.CANCELLED
    assert not is_running(int(texts(execution)[0]))


def test_the_run_of_a_killed_supervisor_has_failed_and_nothing_of_it_is_left(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = abandoned(owner, DAEMON + "time.sleep(60)", monkeypatch, has_printed)
    directory = Run(execution.pk).directory
    daemon = int(texts(execution)[0])
    eventually(lambda: f"{daemon} " in (directory / "processes").read_text())
    os.kill(int((directory / "supervisor").read_text()), signal.SIGKILL)
    adopt(execution)
    assert is_running(daemon) is False
    end = execution.status_logs.newest()
    assert (end.status_to, end.reason) == (Status.FAILED, "its supervisor was killed")


def test_an_execution_that_its_worker_did_not_start_is_handed_back(
    owner: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    def die(*args: object) -> None:
        raise WorkerDies

    execution: Execution = ExecutionFactory(user=owner)
    with monkeypatch.context() as patch, pytest.raises(WorkerDies):
        patch.setattr(Run, "start", die)
        patch.setattr(runner, "hand_back", lambda run: None)
        runner.run(execution, worker="w1")
    assert now(execution).status == Status.READY
    adopt(execution)
    assert now(execution).status == Status.PENDING
    assert execution.status_logs.newest().reason == "handed back by w1"
    assert now(execution).queued_at is not None
    runner.run(now(execution), worker="w2")
    assert now(execution).status == Status.FINISHED


def test_a_run_has_one_follower(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = abandoned(owner, COUNT, monkeypatch, has_printed)
    first, second = Run(execution.pk), Run(execution.pk)
    assert first.hold()
    assert not second.hold()
    first.release()
    assert second.hold()
    second.release()
    adopt(execution)
    assert not Run(execution.pk).hold()


def test_a_run_that_is_begun_again_elsewhere_stops_and_changes_nothing(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = abandoned(owner, DAEMON + "time.sleep(60)", monkeypatch, has_printed, attempts=2)
    eventually(lambda: (Run(execution.pk).directory / "processes").exists())
    LeaseClock.objects.create(steady_since=execution.start_date - timedelta(days=1))
    Execution.objects.update(heartbeat_at=execution.start_date - timedelta(days=1))
    assert monitoring.fail_lost() == 1
    adopt(execution)
    assert now(execution).status == Status.PENDING
    assert not is_running(int(texts(execution)[0]))
    Script.objects.update(command=["python", "-c", "print('second')"])
    runner.run(now(execution), worker="w2")
    assert now(execution).status == Status.FINISHED
    assert texts(execution)[1:] == ["second"]
    assert first_fault() is None


def test_a_supervisor_is_small(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = abandoned(owner, COUNT, monkeypatch, has_printed)
    supervisor = psutil.Process(int((Run(execution.pk).directory / "supervisor").read_text()))
    assert supervisor.memory_full_info().uss < 6 * 1024 * 1024
    adopt(execution)


@pytest.fixture
def database_away() -> Iterator[Callable[[float], None]]:
    """Has the database refuse and cut every connection, for so many seconds."""
    name = sql.Identifier(connection.settings_dict["NAME"])

    def allow(value: bool) -> None:
        with connections["default"]._nodb_cursor() as cursor:
            cursor.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, sql.Literal(value)))
            if not value:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [connection.settings_dict["NAME"]],
                )

    def away(seconds: float) -> None:
        allow(False)
        time.sleep(seconds)
        allow(True)

    yield away
    allow(True)


def test_a_database_that_is_away_is_waited_for(owner: User, database_away: Callable[[float], None]) -> None:
    execution: Execution = ExecutionFactory(user=owner, script=ScriptFactory(command=["python", "-c", COUNT]))
    outage = threading.Timer(0.7, database_away, [3])
    outage.start()
    runner.run(execution, worker="w1")
    outage.join()
    assert now(execution).status == Status.FINISHED
    assert texts(execution) == [str(n) for n in range(20)]
    assert not execution.logs.exclude(level=Level.INFO).exists()
    assert first_fault() is None
