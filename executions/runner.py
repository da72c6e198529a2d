"""Runs one execution: starts its process, follows it, and moves the execution accordingly."""

import logging
import time

from gef_project.common.retrying import retry_patiently
from status.exceptions import ExecutionGone, IllegalTransition
from status.states import TERMINAL, Status

from .models import Execution
from .output import Output
from .process import Process, describe_exit

TICK = 0.1  # seconds between two looks at the process
LOOK_EVERY = 1.0  # seconds between two looks at the execution
BEAT_EVERY = 10.0  # seconds
EXIT_PATIENCE = 10.0  # seconds that a script has to exit once it has reported its end
LAST_WORDS = 500  # characters of the last line of stderr that become part of the reason

logger = logging.getLogger(__name__)


def run(execution: Execution, worker: str) -> None:
    """Run it, unless another worker has it or it has ended. Returns when its process has ended."""
    if not retry_patiently(execution.claim)(worker):
        logger.info("Execution %s is not pending.", execution.pk)
        return
    try:
        process = Process(execution)
    except OSError as error:
        _move(execution, Status.FAILED, f"the command cannot be started: {error}")
        return
    run = Run(execution, process)
    try:
        _move(execution, Status.RUNNING, f"process {process.pid} on {worker}")
        run.follow()
    except BaseException as error:
        shut_down = isinstance(error, SystemExit | KeyboardInterrupt)
        run.abort("its worker was shut down" if shut_down else f"its worker failed: {type(error).__name__}")
        raise


class Run:
    """A process, what it prints, and the execution that it belongs to."""

    def __init__(self, execution: Execution, process: Process) -> None:
        self.execution = execution
        self.process = process
        self.output = Output(execution.pk, process)
        now = time.monotonic()
        self.ended = False  # by a report, a cancel, the monitor: by anything but the end of the process
        self.look_at, self.beat_at, self.stop_at = now, now + BEAT_EVERY, now + execution.script.time_limit

    def follow(self) -> None:
        """Until the process has exited; then store how it ended, unless that is known already."""
        while not self.process.has_exited():
            self.output.read(TICK)
            self._look(time.monotonic())
        exit_status = self.process.end()
        self.output.close()
        if exit_status == 0:
            _move(self.execution, Status.FINISHED, "exit status 0")
        else:
            last_words = f": {self.output.last_error[:LAST_WORDS]}" if self.output.last_error else ""
            _move(self.execution, Status.FAILED, describe_exit(exit_status) + last_words)

    def abort(self, reason: str) -> None:
        """Stop the process, and wait for it."""
        self.process.stop()
        _move(self.execution, Status.FAILED, reason)
        while not self.process.has_exited():
            time.sleep(TICK)
        self.process.end()
        self.output.close()

    def _look(self, now: float) -> None:
        if now >= self.look_at:
            self.look_at = now + LOOK_EVERY
            self._see(_status(self.execution), now)
        if now >= self.beat_at:
            self.beat_at = now + BEAT_EVERY
            retry_patiently(Execution.objects.filter(pk=self.execution.pk).heartbeat)()
        if now >= self.stop_at:
            if not self.ended:
                self.ended = True
                limit = self.execution.script.time_limit
                _move(self.execution, Status.FAILED, f"time limit of {limit} s exceeded")
            self.process.stop()

    def _see(self, status: str | None, now: float) -> None:
        if status is None or status == Status.CANCELLED:
            self.ended = True
            self.process.stop()
        elif status in TERMINAL and not self.ended:
            self.ended = True
            self.stop_at = min(self.stop_at, now + EXIT_PATIENCE)


@retry_patiently
def _move(execution: Execution, status: Status, reason: str) -> None:
    """Move it, unless it has ended otherwise or been deleted: then that stands."""
    try:
        execution.update_status(status, source="worker", reason=reason)
    except (IllegalTransition, ExecutionGone) as refusal:
        logger.info("Execution %s: %s", execution.pk, refusal)


@retry_patiently
def _status(execution: Execution) -> str | None:
    """As it is now; None when the execution has been deleted."""
    return Execution.objects.filter(pk=execution.pk).values_list("status", flat=True).first()
