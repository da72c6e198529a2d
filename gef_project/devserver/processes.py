"""The processes that make up the service, each a group of its own, started and stopped together."""

import os
import signal
import subprocess
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError

import psutil
from celery import current_app
from django.conf import settings

from gef_project.common.waiting import still_running

from . import CannotRun

MARK = "GEF_SUPERVISED"  # in the environment of every process, with the directory whose data they use
STARTING = 60.0  # seconds until they must be up
PATIENCE = 8.0  # seconds between asking and killing
LAST_LINES = 15
LOOKS = 5  # for processes: one that is being stopped may start another, as a Celery worker replaces its own


class Group:
    def __init__(self, var_dir: Path) -> None:
        self._mark = str(var_dir)
        self._log_dir = var_dir / "log"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stop_signals: dict[str, signal.Signals] = {}

    def start(self, name: str, command: list[str], stop_signal: signal.Signals = signal.SIGTERM) -> None:
        """Start it, away from the terminal's Ctrl-C; what it prints goes to its log."""
        self._stop_signals[name] = stop_signal
        self._log_dir.mkdir(exist_ok=True)
        with self.log(name).open("wb") as log, _deferred_signals():
            self._processes[name] = subprocess.Popen(  # noqa: S603
                command,
                env={**os.environ, MARK: self._mark, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def raise_if_one_ended(self) -> None:
        """
        Raises:
            CannotRun: one has; the message shows the end of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise CannotRun(f"{self.last_lines(name)}\n{name} has ended (status {process.returncode}).")

    def last_lines(self, name: str) -> str:
        with self.log(name).open(errors="replace") as log:
            return "".join(deque(log, LAST_LINES)).rstrip()

    def stop(self) -> None:
        """Stop them and whatever they have started, kindly first. Returns when all are gone."""
        family = []
        for name, process in self._processes.items():
            if process.poll() is None:
                leader = psutil.Process(process.pid)
                family += [leader, *leader.children(recursive=True)]
                process.send_signal(self._stop_signals[name])
        _wait_or_kill(family)
        self.stop_leftovers()

    def stop_leftovers(self) -> int:
        """Stop the processes that are left running on the same data, say by a killed supervisor.

        Returns:
            How many.
        """
        stopped = 0
        for _ in range(LOOKS):
            left = [process for process in psutil.process_iter() if self._is_ours(process)]
            if not left:
                break
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()
            _wait_or_kill(left)
            stopped += len(left)
        return stopped

    def _is_ours(self, process: psutil.Process) -> bool:
        """A service, not a script that a worker runs: that goes on, and the next worker follows it."""
        with suppress(psutil.Error, OSError):
            return process.environ().get(MARK) == self._mark
        return False


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM take effect afterwards: half-way, they would leave a process that nobody knows.

    Not by a mask of signals, which the process would inherit.
    """
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _wait_or_kill(processes: list[psutil.Process]) -> None:
    for process in still_running(processes, PATIENCE):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    still_running(processes, PATIENCE)


def wait_until_up(group: Group) -> None:
    """
    Raises:
        CannotRun: one of the processes has ended, or is not up in time.
    """
    deadline = time.monotonic() + STARTING
    checks: dict[str, Callable[[], bool]] = {
        "web": web_answers,
        "worker": worker_answers,
        "beat": lambda: "beat: Starting" in group.log("beat").read_text(errors="replace"),
    }
    for name, is_up in checks.items():
        while not is_up():
            group.raise_if_one_ended()
            if time.monotonic() > deadline:
                raise CannotRun(f"{group.last_lines(name)}\n{name} is not up after {STARTING:.0f} s.")
            time.sleep(0.1)


def web_answers() -> bool:
    """Any answer will do but one that owns up to a fault: the host name may be one that it refuses."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/api-health", timeout=5):
            return True
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def worker_answers() -> bool:
    return bool(current_app.control.ping(timeout=0.5, limit=1))
