"""Processes of the project that a test starts, on the test's database and broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote
from uuid import uuid4

import psutil
from celery import current_app
from django.conf import settings
from django.db import connection

from executions.process import execution_of

T = TypeVar("T")

CONF = ["broker_url", "task_default_queue", "task_routes"]


def eventually(look: Callable[[], T], seconds: float = 30) -> T:
    """What ``look`` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return seen


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of_runs() -> list[psutil.Process]:
    """Of this test: the supervisors, and what has kept the environment that they gave to it."""
    return [each for each in psutil.process_iter() if execution_of(each)]


def kill_runs() -> None:
    for process in processes_of_runs():
        with suppress(psutil.Error):
            process.kill()


def database_url() -> str:
    given = connection.settings_dict
    user, password, host = (quote(str(given[name] or ""), safe="") for name in ("USER", "PASSWORD", "HOST"))
    port = f":{given['PORT']}" if given["PORT"] else ""
    return f"postgresql://{user}{f':{password}' if password else ''}@{host}{port}/{given['NAME']}"


def own_directory() -> Path:
    """Where this test's processes keep what they write."""
    return Path(settings.EXECUTIONS_DIR).parent


def environment_of_test() -> dict[str, str]:
    """What a process of the project needs to work on this test's database."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "VAR_DIR": str(own_directory()),
    }


class Celery:
    """``celery`` with a subcommand, in a process group of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._log = own_directory() / f"{arguments[0]}.log"
        with self._log.open("w") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "celery", *arguments],
                cwd=settings.BASE_DIR,
                env={
                    **environment_of_test(),
                    "APP": "executions.tests.worker_app",
                    "CELERY_CONF": json.dumps({name: current_app.conf[name] for name in CONF}),
                    **environment,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def has_said(self, text: str) -> bool:
        assert self._popen.poll() is None, self._log.read_text()
        return text in self._log.read_text()

    def count(self, text: str) -> int:
        return self._log.read_text().count(text)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self._popen.pid, number)

    def send_signal_to_group(self, number: signal.Signals) -> None:
        os.killpg(self._popen.pid, number)

    def pool(self) -> list[psutil.Process]:
        """The processes in which tasks run."""
        return [
            child
            for child in psutil.Process(self._popen.pid).children()
            if os.getpgid(child.pid) == self._popen.pid
        ]

    def send_signal_to_pool(self, number: signal.Signals) -> None:
        for child in self.pool():
            child.send_signal(number)

    def wait(self) -> int:
        return self._popen.wait(30)

    def kill(self) -> None:
        """As ``kill -9`` does: every process of the group at once."""
        self.send_signal_to_group(signal.SIGKILL)
        self._popen.wait()

    def end(self) -> None:
        if self._popen.poll() is None:
            self.kill()
        sys.stdout.write(self._log.read_text())  # shown when the test has failed


@contextmanager
def celery(*arguments: str, leave_runs: bool = False, **environment: str) -> Iterator[Celery]:
    process = Celery(*arguments, **environment)
    try:
        yield process
    finally:
        process.end()
        if not leave_runs:
            kill_runs()


@contextmanager
def started_worker(api_url: str, *, leave_runs: bool = False, **environment: str) -> Iterator[Celery]:
    """A worker that is ready to take messages from every queue."""
    routes = current_app.conf.task_routes
    queues = [current_app.conf.task_default_queue, *(route["queue"] for route in routes.values())]
    arguments = ["--concurrency", "2", "--queues", ",".join(queues), "--without-mingle", "--without-gossip"]
    # A name of its own: RabbitMQ gives the queue of a name to one worker only.
    arguments += ["--loglevel", "INFO", "--hostname", f"{uuid4()}@%h"]
    with celery("worker", *arguments, leave_runs=leave_runs, API_URL=api_url, **environment) as process:
        eventually(lambda: process.has_said(" ready."))
        yield process
