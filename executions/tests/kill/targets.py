"""The processes that are killed by signal 9, and how each is started again."""

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

TIMEOUT = 60  # seconds for anything to be back


def wait_until(condition: Callable[[], object], description: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {TIMEOUT} s: {description}")
        time.sleep(0.05)


class Target(Protocol):
    name: str

    def kill(self) -> None: ...

    def restart(self) -> None: ...


class Writers:
    """Several processes, of which one is killed."""

    name = "writer"

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._processes: list[BaseProcess] = []
        for _ in range(count):
            self.restart()

    def kill(self) -> None:
        killed = self._processes.pop(0)
        killed.kill()
        killed.join()

    def restart(self) -> None:
        connections.close_all()  # the child must not inherit them
        self._started += 1
        journal = self._folder / f"writer-{self._started}"
        process = _fork.Process(target=write, args=[journal], name=journal.name)
        process.start()
        self._processes.append(process)

    def wait_for_each(self) -> None:
        """Until each of them has recorded another change."""
        before = self._sizes()

        def each_has_written() -> bool:
            if dead := [process.name for process in self._processes if not process.is_alive()]:
                raise RuntimeError(f"These writers have failed: {dead}")
            return all(size > before[name] for name, size in self._sizes().items())

        wait_until(each_has_written, "each writer records a change")

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
        self._journal = folder / "worker"
        self._log = Path(settings.VAR_DIR) / "worker.log"
        self.restart()

    def kill(self) -> None:
        children = psutil.Process(self._process.pid).children(recursive=True)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        still_running(children, TIMEOUT)

    def restart(self) -> None:
        options = ["--concurrency=2", "--queues=celery,runs", "--loglevel=INFO", "--without-mingle"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", f"{__package__}.worker_app", "worker", *options],
                cwd=settings.BASE_DIR,
                env={**os.environ, "JOURNAL": str(self._journal)},
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
        still_running(processes, TIMEOUT)

    def restart(self) -> None:
        server.start()
