"""The agent of a machine: renews the leases of its runs, and follows those that no worker follows any more.

Each worker starts one (``manage.py run_agent``), which ends with it. Of all that share a VAR_DIR, one works
and the others wait.
"""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import Error, close_old_connections

from .models import Execution, LeaseClock
from .run import Run, live_runs
from .runner import Tail, hand_back

TICK = 0.2  # seconds between two looks
EXITS_WITHIN = 5.0  # seconds
RESTART_AFTER = 1.0  # seconds, when the agent has ended but its worker has not
RETRY_EVERY = 1.0  # seconds between two tries to renew the leases, when the database is away
HUNG_AFTER = 30.0  # seconds without a sign of a supervisor
FAILED_AGAIN_AFTER = 10.0  # seconds until a run is looked at again that could not be followed

logger = logging.getLogger(__name__)


def keep_running() -> None:
    """Have an agent for as long as this process, a worker's first, lives."""
    threading.Thread(target=_keep, args=[_start()], name="agent", daemon=True).start()


def _start() -> "subprocess.Popen[bytes]":
    # A session of its own: a signal to the worker's group is for the worker.
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_agent", str(os.getpid())]
    return subprocess.Popen(command, start_new_session=True)  # noqa: S603


def _keep(process: "subprocess.Popen[bytes]") -> None:
    while True:
        process.wait()
        time.sleep(RESTART_AFTER)
        process = _start()


def run(parent: int) -> None:
    """Work as long as the process ``parent`` lives."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    directory = Path(settings.EXECUTIONS_DIR)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "agent.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        agent = Agent()
        while True:
            agent.step()
            time.sleep(TICK)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(TICK)
    signal.raise_signal(signal.SIGTERM)
    time.sleep(EXITS_WITHIN)
    os._exit(1)  # whatever it is waiting for


class Agent:
    def __init__(self) -> None:
        self._followers: dict[UUID, Tail] = {}
        self._retry_at: dict[UUID, float] = {}
        self._renew_at = 0.0
        self._heartbeats: dict[UUID, tuple[float, float]] = {}  # the last one, and when it was noticed

    def step(self) -> None:
        """Renew the leases if it is time, and look at each run that no worker follows."""
        live = live_runs()
        if time.monotonic() >= self._renew_at:
            self._renew(live)
        for execution_id in live:
            if time.monotonic() < self._retry_at.get(execution_id, 0):
                continue
            try:
                self._follow(execution_id)
            except Exception:
                logger.exception("Execution %s cannot be followed now.", execution_id)
                self._retry_at[execution_id] = time.monotonic() + FAILED_AGAIN_AFTER

    def _follow(self, execution_id: UUID) -> None:
        follower = self._followers.get(execution_id)
        if follower is None:
            run = Run(execution_id)
            if not run.hold():
                return
            if not run.has_begun():
                try:
                    hand_back(run)
                finally:
                    run.release()
                return
            logger.info("Execution %s goes on without its worker.", execution_id)
            follower = self._followers[execution_id] = Tail(run)
        if follower.step():
            del self._followers[execution_id]

    def _renew(self, live: list[UUID]) -> None:
        """One statement for all runs of the machine."""
        self._renew_at = time.monotonic() + settings.HEARTBEAT_EVERY
        close_old_connections()
        try:
            Execution.objects.active().filter(pk__in=self._at_work(live)).heartbeat()
            LeaseClock.tick()
        except Error as error:
            self._renew_at = time.monotonic() + RETRY_EVERY
            logger.warning("The leases cannot be renewed: %s", error)

    def _at_work(self, live: list[UUID]) -> list[UUID]:
        """All but those whose supervisor lives and does nothing: their time limit would not be kept."""
        now, before = time.monotonic(), self._heartbeats
        self._heartbeats = {}
        at_work = []
        for execution_id in live:
            run = Run(execution_id)
            heartbeat = run.last_heartbeat()
            seen, since = before.get(execution_id, (None, now))
            self._heartbeats[execution_id] = heartbeat, since if seen == heartbeat else now
            if seen != heartbeat or now - since < HUNG_AFTER or not run.is_supervised():
                at_work.append(execution_id)
        return at_work
