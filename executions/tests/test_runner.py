"""Runs with real processes, without a broker: what the execution, its ledger and its log say afterwards."""

import json
import signal
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from executions import credentials, runner
from executions.models import Execution, Level
from executions.output import Output
from executions.process import directory_of
from executions.run import Run
from status.models import StatusLog
from status.states import Status

from .processes import is_running

pytestmark = pytest.mark.django_db


def run(execution: Execution, code: str, *args: str, **fields: object) -> Execution:
    """Run that Python code as the execution's script."""
    execution.script.command = ["python", "-c", code, *args]
    for name, value in fields.items():
        setattr(execution.script, name, value)
    runner.run(execution, worker="w1")
    return Execution.objects.get(pk=execution.pk)


def moves(execution: Execution) -> list[tuple[str | None, str]]:
    return [(log.status_to, log.reason) for log in execution.status_logs.order_by("id")]


def texts(execution: Execution, level: Level) -> list[str]:
    return list(execution.logs.filter(level=level).values_list("text", flat=True))


def test_exit_status_0_means_finished(execution: Execution) -> None:
    ended = run(execution, "print('done')")
    statuses = [status for status, _ in moves(ended)]
    assert statuses == [Status.PENDING, Status.READY, Status.RUNNING, Status.FINISHED]
    assert set(ended.status_logs.exclude(status_to="PENDING").values_list("source", flat=True)) == {"worker"}
    assert (ended.worker, ended.progress) == ("w1", 100)
    assert ended.dispatched_at is not None
    assert ended.heartbeat_at is not None


def test_another_exit_status_means_failed_and_says_why(execution: Execution) -> None:
    ended = run(execution, "import sys; print('no input', file=sys.stderr); sys.exit(3)")
    assert ended.status == Status.FAILED
    assert moves(ended)[-1] == (Status.FAILED, "exit status 3: no input")


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL"), (40, "40")]
)
def test_a_death_by_signal_is_named(execution: Execution, number: int, name: str) -> None:
    ended = run(execution, f"import os; os.kill(os.getpid(), {int(number)})")
    assert moves(ended)[-1] == (Status.FAILED, f"killed by signal {name}")


def test_a_command_that_cannot_be_started_has_failed(execution: Execution) -> None:
    execution.script.command = ["no-such-program"]
    runner.run(execution, worker="w1")
    status, reason = moves(execution)[-1]
    assert status == Status.FAILED
    assert "cannot be started" in reason
    assert "no-such-program" in reason


def test_a_traceback_is_kept_line_by_line(execution: Execution) -> None:
    ended = run(execution, "print('before')\nraise ValueError('  odd\\tvalue')")
    assert texts(ended, Level.INFO) == ["before"]
    errors = texts(ended, Level.ERROR)
    assert errors[0] == "Traceback (most recent call last):"
    assert errors[-1] == "ValueError:   odd\tvalue"


def test_output_that_is_no_text_is_kept_readable(execution: Execution) -> None:
    ended = run(execution, r"import os; os.write(1, b'caf\xc3\xa9 \xff\x00 end\r\n\nlast')")
    assert texts(ended, Level.INFO) == ["café \\xff\\x00 end", "", "last"]


def test_a_very_long_line_is_cut_and_complete(execution: Execution) -> None:
    ended = run(execution, "print('é' * 30_000)")
    pieces = texts(ended, Level.INFO)
    assert len(pieces) == 4
    assert "".join(pieces) == "é" * 30_000


def test_no_more_lines_than_the_limit_are_kept(execution: Execution, settings: Settings) -> None:
    settings.EXECUTION_LOG_LINES = 100
    ended = run(execution, "for n in range(100_000): print(n)")
    assert ended.status == Status.FINISHED
    first, last = range(50), range(99_951, 100_000)
    assert texts(ended, Level.INFO) == [str(n) for n in (*first, *last)]
    missing = "".join(f"{n}" for n in range(50, 99_951))
    text = f"99901 lines ({len(missing)} bytes) are missing here: the log is full."
    assert texts(ended, Level.WARNING) == [text]
    assert list(ended.logs.values_list("text", flat=True))[50] == text


def test_no_more_bytes_than_the_limit_are_kept(execution: Execution, settings: Settings) -> None:
    settings.EXECUTION_LOG_BYTES = 100_000
    ended = run(execution, "for n in range(100): print(f'{n:09,}' * 1_000)")
    kept = [text[:9] for text in texts(ended, Level.INFO)]
    assert kept == [f"{n:09,}" for n in (*range(5), *range(95, 100))]
    assert texts(ended, Level.WARNING) == ["90 lines (810000 bytes) are missing here: the log is full."]


def test_the_script_finds_its_params_and_credential(execution: Execution) -> None:
    execution.params = {"名": [1, None, "\ud800"]}
    ended = run(execution, "import os, json; print(json.dumps(dict(os.environ)))")
    found = json.loads(texts(ended, Level.INFO)[0])
    assert json.loads(Path(found["PARAMS_FILE"]).read_text()) == execution.params
    assert found["EXECUTION_ID"] == str(execution.pk)
    assert credentials.execution_of(found["API_USER"], found["API_PASSWORD"]) == execution.pk


def test_the_environment_holds_nothing_else(execution: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    ended = run(execution, "import os; print('\\n'.join(os.environ))")
    assert sorted(texts(ended, Level.INFO)) == [
        *["API_PASSWORD", "API_URL", "API_USER", "EXECUTION_ID", "HOME", "LANG", "PARAMS_FILE", "PATH"],
        *["PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR"],
    ]


def test_python_is_the_one_of_the_service(execution: Execution) -> None:
    assert texts(run(execution, "import sys; print(sys.prefix)"), Level.INFO) == [sys.prefix]


def test_each_run_has_a_working_directory_of_its_own(execution: Execution) -> None:
    ended = run(execution, "import os; open('made', 'w'); print(os.getcwd())")
    directory = directory_of(execution.pk)
    assert texts(ended, Level.INFO) == [str(directory / "work")]
    assert (directory / "work" / "made").exists()


def test_no_shell_reads_the_arguments(execution: Execution) -> None:
    ended = run(execution, "import sys; print(sys.argv[1])", "$(id); `id` > x")
    assert texts(ended, Level.INFO) == ["$(id); `id` > x"]


def test_the_time_limit_stops_the_run(execution: Execution) -> None:
    ended = run(execution, "import time; print('on', flush=True); time.sleep(60)", time_limit=1)
    assert moves(ended)[-1] == (Status.FAILED, "time limit of 1 s exceeded")
    assert texts(ended, Level.INFO) == ["on"]


STUBBORN = r"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, f"{os.getpid()}\n".encode())
time.sleep(100)
"""


def test_processes_that_ignore_sigterm_are_killed(execution: Execution) -> None:
    pids = texts(run(execution, STUBBORN, time_limit=1), Level.INFO)
    assert len(pids) == 2
    assert not any(is_running(int(pid)) for pid in pids)


def test_what_a_finished_script_leaves_running_is_killed(execution: Execution) -> None:
    code = "import os, time\npid = os.fork()\nif pid: print(pid)\nelse: time.sleep(100)"
    ended = run(execution, code)
    assert ended.status == Status.FINISHED
    assert not is_running(int(texts(ended, Level.INFO)[0]))


# Starts a process that has left its family, session and environment behind, and prints its pid.
DAEMON = r"""
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        os.execve("/bin/sh", ["sh", "-c", "trap '' TERM HUP; echo $$; while :; do sleep 100; done"], {})
    os._exit(0)
os.wait()
time.sleep(0.5)
"""


def test_a_daemon_that_a_finished_script_leaves_is_killed(execution: Execution) -> None:
    ended = run(execution, DAEMON)
    assert ended.status == Status.FINISHED
    assert not is_running(int(texts(ended, Level.INFO)[0]))


@pytest.mark.parametrize("status", [Status.READY, Status.RUNNING, Status.CANCELLED])
def test_only_a_pending_execution_is_run(execution: Execution, status: Status) -> None:
    execution.update_status(status)
    ended = run(execution, "print(1)")
    assert (ended.status, ended.worker, ended.logs.count()) == (status, "", 0)


def in_between(execution: Execution, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else happens to the execution when its first output has been stored."""
    store = Output.store

    def store_and_change(output: Output) -> None:
        store(output)
        row = Execution.objects.filter(pk=execution.pk)
        if row.first() and not row.get().has_ended and row.get().logs.exists():
            row.delete() if change == "delete" else row.get().update_status(change, source="api")

    monkeypatch.setattr(Output, "store", store_and_change)


@pytest.mark.parametrize("change", [Status.CANCELLED, "delete"])
def test_a_run_that_nobody_wants_any_more_is_stopped(
    execution: Execution, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_between(execution, change, monkeypatch)
    execution.script.command = ["python", "-c", "import time; print(1); time.sleep(100)"]
    runner.run(execution, worker="w1")
    assert list(Execution.objects.values_list("status", flat=True)) == [change] * (change != "delete")
    assert not is_running(pid_of(execution))


def test_a_reported_end_stands_whatever_the_exit_status(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_between(execution, Status.FINISHED, monkeypatch)
    ended = run(execution, "import time; print(1); time.sleep(2); raise SystemExit(4)")
    assert ended.status == Status.FINISHED
    assert moves(ended)[-2:] == [(Status.RUNNING, moves(ended)[-2][1]), (Status.FINISHED, "")]


def test_a_script_that_reported_its_end_has_some_time_to_exit(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "EXIT_PATIENCE", 2)
    in_between(execution, Status.FAILED, monkeypatch)
    ended = run(execution, "import time\nfor n in range(100): print(n); time.sleep(0.3)")
    lines = len(texts(ended, Level.INFO))
    assert 5 < lines < 20


def test_a_worker_that_must_end_before_the_start_hands_the_execution_back(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut_down(run: Run, execution: Execution) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Run, "start", shut_down)
        run(execution, "print(1)")
    assert moves(execution)[-2:] == [
        (Status.READY, "claimed by w1"),
        (Status.PENDING, "handed back by w1"),
    ]
    assert run(execution, "print(1)").status == Status.FINISHED


def pid_of(execution: Execution) -> int:
    log = StatusLog.objects.get(execution_id=execution.pk, status_to=Status.RUNNING)
    return int(log.reason.split()[1])
