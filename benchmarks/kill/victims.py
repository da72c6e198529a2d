"""The processes that are killed by signal 9, and how each comes back."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import psutil
from django.conf import settings
from django.db import connections

from gef_project.common.waiting import still_running
from gef_project.devserver.postgresql.server import server

from .writer import write

_fork = multiprocessing.get_context("fork")

PATIENCE = 60  # seconds for anything to come back


def wait_until(it_is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not it_is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.05)


class Victim(Protocol):
    name: str

    def kill(self) -> None: ...

    def come_back(self) -> None: ...


class Writers:
    """Several processes, of which one is killed."""

    name = "writer"

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._processes: list[BaseProcess] = []
        for _ in range(count):
            self.come_back()

    def kill(self) -> None:
        killed = self._processes.pop(0)
        killed.kill()
        killed.join()

    def come_back(self) -> None:
        connections.close_all()  # of this process; the child must not find them
        self._started += 1
        notes = self._folder / f"writer-{self._started}"
        process = _fork.Process(target=write, args=[notes], name=notes.name)
        process.start()
        self._processes.append(process)

    def wait_for_each(self) -> None:
        """Until each of them has noted something from now on."""
        before = self._sizes()

        def gone_on() -> bool:
            if dead := [process.name for process in self._processes if not process.is_alive()]:
                raise RuntimeError(f"failed: {dead}")
            return all(size > before[name] for name, size in self._sizes().items())

        wait_until(gone_on, "every writer goes on")

    def stop(self) -> None:
        while self._processes:
            self.kill()

    def _sizes(self) -> dict[str, int]:
        files = {process.name: self._folder / process.name for process in self._processes}
        return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}


class Worker:
    """A Celery worker with all of its processes; the broker is in VAR_DIR."""

    name = "worker"

    def __init__(self, folder: Path) -> None:
        self._notes = folder / "worker"
        self._log = Path(settings.VAR_DIR) / "worker.log"
        self.come_back()

    def kill(self) -> None:
        children = psutil.Process(self._process.pid).children(recursive=True)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        still_running(children, PATIENCE)

    def come_back(self) -> None:
        options = ["--concurrency=2", "--queues=celery,runs", "--loglevel=INFO", "--without-mingle"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "benchmarks.kill.worker_app", "worker", *options],
                cwd=settings.BASE_DIR,
                env={**os.environ, "NOTES": str(self._notes)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: " ready." in self._log.read_text(), "the worker is ready")

    def stop(self) -> None:
        self.kill()


class Server:
    """PostgreSQL: the postmaster and each of its children."""

    name = "server"

    def kill(self) -> None:
        postmaster = server.process()
        assert postmaster is not None
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        connections.close_all()
        still_running(processes, PATIENCE)

    def come_back(self) -> None:
        server.start()
