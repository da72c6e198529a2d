"""Runs one execution: starts its supervisor, follows its files, and changes the status accordingly."""

import logging
import time
from typing import ClassVar

from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from gef_project.common.exceptions import LedgerBusy
from gef_project.common.retrying import retry_persistently
from status.exceptions import ExecutionGone, IllegalTransition
from status.states import TERMINAL, Status

from .models import Execution
from .output import Output
from .process import describe_exit
from .run import End, Run

TICK = 0.1  # seconds between two looks at the run's files
STORE_EVERY = 0.5  # seconds between two transactions that store output
LOOK_EVERY = 0.5  # seconds between two looks at the execution, and at the supervisor
EXIT_PATIENCE = 10.0  # seconds that a script has to exit once its execution has ended
OBEYS_WITHIN = 15.0  # seconds in which a supervisor stops a run; one that does not is killed
LONGEST_PAUSE = 5.0  # seconds between two tries to reach the database
LAST_WORDS = 500  # characters of the last line of stderr that become part of the reason
SUPERVISOR_KILLED = End(None, "its supervisor was killed", "")

logger = logging.getLogger(__name__)


def run(execution: Execution, worker: str) -> None:
    """Run it, unless another worker has it or it has ended. Returns when it has ended.

    When this process ends earlier, the run goes on, and the machine's agent follows it.
    """
    run = Run(execution.pk)
    if not run.make(worker, execution.attempt):
        logger.info("Execution %s is run here already.", execution.pk)
        return
    try:
        if not retry_persistently(execution.claim)(worker):
            logger.info("Execution %s is not pending.", execution.pk)
            # If the answer to a claim was lost, it may be this worker's; the agent finds out.
            if not _is_claimed(execution, worker):
                run.forget()
            return
        if _start(run, execution):
            Tail(run).follow()
    finally:
        run.release()


def _start(run: Run, execution: Execution) -> bool:
    try:
        run.start(execution)
    except OSError as error:
        retry_persistently(_change)(execution, Status.FAILED, f"the command cannot be started: {error}")
        run.forget()
        return False
    except BaseException:  # this process is told to end
        hand_back(run)
        raise
    return True


def hand_back(run: Run) -> None:
    """Make an execution PENDING again that was claimed here and not started: any worker may take it."""
    if not run.prevent():
        return  # it has been started just now
    attempt, worker = run.claim()
    rows = Execution.objects.filter(pk=run.execution_id, status=Status.READY, worker=worker, attempt=attempt)
    with transaction.atomic():
        if rows.update_status(Status.PENDING, source="worker", reason=f"handed back by {worker}"):
            Execution.objects.filter(pk=run.execution_id).requeue()
    run.forget()


class Tail:
    """Follows a run that this process holds, until everything of it is stored.

    It keeps nothing that another follower could not find out: it may be killed at any time. When the database
    is away, it waits.
    """

    AWAY: ClassVar = (OperationalError, InterfaceError, LedgerBusy)

    def __init__(self, run: Run) -> None:
        self.run = run
        self._attempt, _ = run.claim()
        self._output = Output(run.execution_id, self._attempt, run.directory)
        self._execution: Execution | None = None
        self._failures = 0
        self._retry_at = self._store_at = self._look_at = 0.0
        self._stop_at = self._kill_at = float("inf")

    def follow(self) -> None:
        while not self.step():
            time.sleep(TICK)

    def step(self) -> bool:
        """Look once.

        Returns:
            Whether it is over.
        """
        now = time.monotonic()
        if now < self._retry_at:
            return False
        try:
            over = self._step(now)
        except self.AWAY as error:
            self._failures += 1
            self._retry_at = now + min(0.1 * 2 ** min(self._failures, 10), LONGEST_PAUSE)
            if self._failures == 1:
                logger.warning("Execution %s goes on without the database: %s", self.run.execution_id, error)
            close_old_connections()
            return False
        self._failures = 0
        return over

    def _step(self, now: float) -> bool:
        end = self.run.end()  # before the output: so that this is complete
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            if not end and not self.run.is_supervised():
                end = self.run.end() or SUPERVISOR_KILLED
            self._look(now)
        if end is SUPERVISOR_KILLED:
            self.run.kill_remains()
        self._note_start()
        if end or now >= self._store_at:
            self._store_at = now + STORE_EVERY
            while self._output.store():
                pass
        if end:
            self._note_end(end)
            self.run.forget()
        return end is not None

    def _look(self, now: float) -> None:
        """At the execution: whether the run is still wanted."""
        rows = Execution.objects.filter(pk=self.run.execution_id, attempt=self._attempt)
        rows = rows.defer("params", "results")  # which may be large
        self._execution = rows.first()  # there is none if it was deleted, or given up and begun again
        status = self._execution.status if self._execution else Status.CANCELLED
        if status == Status.CANCELLED:
            self._stop_at = now
        elif status in TERMINAL:
            self._stop_at = min(self._stop_at, now + EXIT_PATIENCE)
        if now >= self._stop_at:
            self.run.stop()
            self._kill_at = min(self._kill_at, now + OBEYS_WITHIN)
        if now >= self._kill_at:
            self.run.kill()

    def _note_start(self) -> None:
        execution = self._execution
        if execution and execution.status == Status.READY and (pid := self.run.pid()):
            _change(execution, Status.RUNNING, f"process {pid} on {execution.worker}")

    def _note_end(self, end: End) -> None:
        if not self._execution or self._execution.has_ended:
            return
        if end.cause == "not started":
            _change(self._execution, Status.FAILED, f"the command cannot be started: {end.last_error}")
        elif end.cause != "exit" or end.status is None:
            _change(self._execution, Status.FAILED, end.cause)
        elif end.status == 0:
            _change(self._execution, Status.FINISHED, "exit status 0")
        else:
            last_words = f": {end.last_error[:LAST_WORDS]}" if end.last_error else ""
            _change(self._execution, Status.FAILED, describe_exit(end.status) + last_words)


def _change(execution: Execution, status: Status, reason: str) -> None:
    """Change the status, unless the execution has ended otherwise or been deleted: then that stands."""
    try:
        execution.update_status(status, source="worker", reason=reason)
    except (IllegalTransition, ExecutionGone) as refusal:
        logger.info("Execution %s: %s", execution.pk, refusal)


def _is_claimed(execution: Execution, worker: str) -> bool:
    rows = Execution.objects.filter(pk=execution.pk, worker=worker)
    return retry_persistently(rows.active().exists)()
