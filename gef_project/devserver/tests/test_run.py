"""``make run`` as its users see it: the real thing, on data and a port of its own."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.conf import settings

from gef_project.devserver.postgresql.server import DATABASE, Server
from status.states import Status, count_field

pytestmark = pytest.mark.apart

SERVERS = {"postgres", "valkey-server"}
COMMAND = [sys.executable, "-m", "gef_project.devserver"]
LINE = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d\.\d{3})  (?P<execution>[0-9a-f]{8}) (?P<slug>\S+) +"
    r"(?P<status_from>\S+) → (?P<status_to>\S+) +"
    + " +".join(rf"{status.lower()} +(?P<{count_field(status)}>\d+)" for status in Status)
)
PASSWORD = re.compile(r"password +\S{16}\n")


@pytest.fixture
def environment(var_dir: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {"VAR_DIR": str(var_dir), "PORT": str(port), "DATABASE_URL": "", "CELERY_BROKER_URL": ""}
    return {**os.environ, **ours}


class Run:
    """One start of it; ``printed`` holds the lines so far."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            COMMAND,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # As after & in a script.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        self.printed: list[str] = []

    def read_until(self, *wanted: str) -> None:
        assert self.process.stdout is not None
        missing = set(wanted)
        for line in self.process.stdout:
            self.printed.append(line)
            missing -= {text for text in missing if text in line}
            if not missing:
                return
        pytest.fail(f"It ended without {missing}:\n{''.join(self.printed)}{self.process.communicate()[1]}")

    def end(self) -> str:
        """Returns: what it printed on stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Not by communicate, which does not know of the lines that have been read ahead.
        self.printed += self.process.stdout.readlines()
        self.process.wait()
        return self.process.stderr.read()

    def transitions(self) -> list[dict[str, Any]]:
        return [match.groupdict() for line in self.printed if (match := LINE.match(line))]


@pytest.fixture
def runs(environment: dict[str, str], var_dir: Path) -> Iterator[list[Run]]:
    runs: list[Run] = []
    yield runs
    for run in runs:
        run.process.kill()
        run.process.communicate()
    for process in processes_of(var_dir, runs=True):
        process.kill()


def processes_of(var_dir: Path, *, runs: bool = False) -> list[psutil.Process]:
    """The services and the embedded servers; the runs, which outlive them, if they are asked for."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = [*process.environ().values(), *process.cmdline()]
        except psutil.Error:
            continue
        if not runs and any("/executions/" in mark for mark in marks):
            continue
        if process.pid != os.getpid() and any(str(var_dir) in mark for mark in marks):
            found.append(process)
    return found


def ledger(var_dir: Path) -> list[dict[str, Any]]:
    """All rows but the first, which counts what there was before, as the printed lines show them."""
    server = Server(var_dir)
    counts = ", ".join(f"{count_field(status)}::text" for status in Status)
    query = f"""
        SELECT to_char(timestamp AT TIME ZONE 'UTC', 'HH24:MI:SS.MS') AS time,
            left(execution_id::text, 8) AS execution, slug,
            coalesce(status_from, '-') AS status_from, status_to, {counts}
        FROM status_log
            LEFT JOIN executions_execution ON executions_execution.id = execution_id
            LEFT JOIN executions_script ON executions_script.id = script_id
        WHERE status_log.id > 1 ORDER BY status_log.id
    """
    with psycopg.connect(host=server.start(), user="postgres", dbname=DATABASE) as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        rows = cursor.execute(query).fetchall()
    server.leave()
    return rows


def test_it_prints_the_ledger_and_leaves_nothing_behind(
    environment: dict[str, str], var_dir: Path, runs: list[Run]
) -> None:
    (var_dir / "broker").mkdir()
    runs.append(first := Run(environment))
    first.read_until("is of an earlier version's broker")
    first.read_until("→ FINISHED", "→ FAILED", "→ CANCELLED")
    first.process.send_signal(signal.SIGINT)
    assert first.end() == ""
    assert first.process.returncode == 0
    assert processes_of(var_dir) == []
    assert first.transitions() == ledger(var_dir)
    assert PASSWORD.search("".join(first.printed))

    runs.append(second := Run(environment))
    second.read_until("- → PENDING")
    web = next(
        process
        for process in psutil.Process(second.process.pid).children()
        if "gunicorn" in process.cmdline()
    )
    web.kill()
    assert second.end().endswith("web has ended (status -9).\n")
    assert second.process.returncode == 1
    assert processes_of(var_dir) == []
    assert first.transitions() + second.transitions() == ledger(var_dir)
    assert not PASSWORD.search("".join(second.printed))


def test_it_stops_what_a_killed_one_left(environment: dict[str, str], var_dir: Path, runs: list[Run]) -> None:
    runs.append(killed := Run(environment))
    killed.read_until("READY → RUNNING")
    killed.process.kill()
    killed.process.wait()
    left = [process for process in processes_of(var_dir) if process.name() not in SERVERS]
    assert left

    runs.append(second := Run(environment))
    second.read_until("that a killed run had left behind")
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    second.process.terminate()
    assert second.end() == ""
    assert second.process.returncode == 0
    assert processes_of(var_dir) == []


def test_a_server_that_a_killed_run_left_does_not_outlive_one_that_cannot_start(
    environment: dict[str, str], var_dir: Path, runs: list[Run]
) -> None:
    runs.append(killed := Run(environment))
    killed.read_until("- → PENDING")
    while users := [process for process in processes_of(var_dir) if process.name() not in SERVERS]:
        for process in users:
            process.kill()
        psutil.wait_procs(users)
    assert processes_of(var_dir)
    with socket.create_server(("127.0.0.1", int(environment["PORT"]))):
        refusal(environment)
    assert processes_of(var_dir) == []


def refusal(environment: dict[str, str], **changes: str) -> str:
    done = subprocess.run(
        COMMAND,
        cwd=settings.BASE_DIR,
        env={**environment, **changes},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_taken_port_is_one_clear_line(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["PORT"]))):
        said = refusal(environment)
    assert (
        said == f"Port {environment['PORT']} cannot be used: Address already in use. Set PORT to another.\n"
    )


def test_one_at_a_time_uses_the_data(environment: dict[str, str], var_dir: Path) -> None:
    with (var_dir / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refusal(environment).startswith("make run is active already")


def test_a_database_that_does_not_answer_is_one_clear_line(environment: dict[str, str]) -> None:
    said = refusal(environment, DATABASE_URL="postgresql://gef:secret@127.0.0.1:1/gef")
    assert said.startswith("The database cannot be reached: ")
    assert "secret" not in said


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "amqp://gef:secret@127.0.0.1:1//"])
def test_a_broker_that_does_not_answer_is_one_clear_line(environment: dict[str, str], url: str) -> None:
    said = refusal(environment, CELERY_BROKER_URL=url)
    assert said.startswith(f"The broker {url.partition('://')[0]}")
    assert "secret" not in said
