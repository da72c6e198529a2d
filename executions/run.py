"""The directory of a run, as the workers of its machine use it: start the run, look how it is, stop it."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from . import supervisor
from .models import Execution
from .process import directory_of, environment, kill_remains, params_file_of

SUPERVISOR = [sys.executable, "-I", "-S", str(Path(supervisor.__file__).parent)]


class End(NamedTuple):
    """How a run ended."""

    status: int | None  # the exit status; the negative number of the signal that killed the script
    cause: str  # exit; not started; stopped; removed; what limit was exceeded
    last_error: str  # the last line of stderr; why it was not started


class Run:
    """A run of this machine: its directory, and its mark among the live ones.

    The mark is made before the execution is claimed, and removed when its end is stored. Whoever has locked
    it follows the run. It holds the name of the worker that has claimed the execution, and the number of the
    attempt.
    """

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        self.directory = directory_of(execution_id)
        self._mark = live_directory() / str(execution_id)
        self._lock: int | None = None

    def make(self, worker: str, attempt: int) -> bool:
        """Make its mark, locked by this process, which is about to claim the execution for ``worker``.

        Returns:
            Whether there was none.
        """
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        new = self._mark.with_name(f"new{threading.get_native_id()}")
        lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(lock, f"{attempt} {worker}".encode())
        try:
            os.link(new, self._mark)  # nobody sees it unlocked
        except FileExistsError:
            os.close(lock)
            return False
        finally:
            new.unlink()
        self._lock = lock
        return True

    def hold(self) -> bool:
        """Lock its mark for this process, which follows it from now on.

        Returns:
            Whether there is one, and nobody else has locked it.
        """
        try:
            lock = os.open(self._mark, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._mark.stat().st_ino != os.fstat(lock).st_ino:
                raise FileNotFoundError
        except OSError:  # locked, or removed by whoever had locked it
            os.close(lock)
            return False
        self._lock = lock
        return True

    def claim(self) -> tuple[int, str]:
        """The attempt, and the worker that has claimed the execution for it."""
        attempt, _, worker = self._mark.read_text().partition(" ")
        return int(attempt), worker

    def release(self) -> None:
        """Let another process follow it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """It is over, and stored."""
        self._mark.unlink(missing_ok=True)
        self.release()

    def start(self, execution: Execution) -> None:
        """Start its supervisor, which starts the script.

        Raises:
            OSError: that is not possible.
        """
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "work").mkdir(parents=True)
        params_file_of(self.execution_id).write_text(json.dumps(execution.params))
        os.mkfifo(self.directory / "control", 0o600)
        script = execution.script
        limits = [script.time_limit, settings.EXECUTION_LOG_LINES, settings.EXECUTION_LOG_BYTES]
        # Not its path: by the time that the supervisor begins, this may be the directory of a later run.
        opened = os.open(self.directory, os.O_RDONLY)
        with (self.directory / "supervisor.log").open("wb") as log:
            try:
                status = subprocess.call(  # noqa: S603 - staff write the commands, and no shell reads them
                    [*SUPERVISOR, *map(str, [opened, *limits, *script.command])],
                    env=environment(execution),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=[opened],
                    start_new_session=True,
                )
            except ValueError as error:  # a word of the command that no process can be given
                raise OSError(str(error)) from error
            finally:
                os.close(opened)
        if status != 0:
            raise OSError(f"its supervisor has ended with exit status {status}")

    def has_begun(self) -> bool:
        return (self.directory / "supervisor").exists()

    def prevent(self) -> bool:
        """See that a supervisor that is about to begin does not; whoever has started it is dead.

        Returns:
            Whether none has begun.
        """
        with suppress(FileNotFoundError):
            try:
                os.close(os.open(self.directory / "supervisor", os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                return False
        shutil.rmtree(self.directory, ignore_errors=True)
        return True

    def is_supervised(self) -> bool:
        """Whether its supervisor lives."""
        try:
            with (self.directory / "supervisor").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    def last_heartbeat(self) -> float:
        """When its supervisor has last shown that it works, by the file system's clock; 0 without one."""
        try:
            return (self.directory / "supervisor").stat().st_mtime
        except FileNotFoundError:
            return 0

    def pid(self) -> int | None:
        """The script's process id, once it has been started."""
        try:
            return int((self.directory / "started").read_text())
        except FileNotFoundError:
            return None

    def end(self) -> End | None:
        """How it ended; None as long as anything of it is left, or if its supervisor was killed."""
        try:
            return End(**json.loads((self.directory / "end").read_text()))
        except FileNotFoundError:
            return None

    def stop(self) -> None:
        """Ask all its processes to stop; they are killed some seconds later. Asking twice changes nothing."""
        with suppress(OSError):  # its supervisor has ended
            control = os.open(self.directory / "control", os.O_WRONLY | os.O_NONBLOCK)
            with suppress(BlockingIOError):
                os.write(control, b"stop\n")
            os.close(control)

    def kill(self) -> None:
        """Kill its supervisor, which does not obey, and all its processes."""
        if self.is_supervised():
            with suppress(OSError, ValueError):
                os.kill(int((self.directory / "supervisor").read_text()), signal.SIGKILL)
        self.kill_remains()

    def kill_remains(self) -> None:
        """Kill the processes of a run that has no supervisor any more."""
        kill_remains(self.execution_id)


def live_directory() -> Path:
    return Path(settings.EXECUTIONS_DIR) / "live"


def live_runs() -> list[UUID]:
    """The runs of this machine whose end has not been stored."""
    return [UUID(path.name) for path in live_directory().glob("*-*")]
