"""Starts the script, reads what it prints, and sees to its end."""

import fcntl
import json
import os
import select
import signal
import time
from contextlib import suppress

from executions.supervisor import processes
from executions.supervisor.records import CHUNK, STDERR, STDOUT, Lines, Output

LOOK_EVERY = 0.5  # seconds
HEARTBEAT_EVERY = 2.0  # seconds
STOP_PATIENCE = 3.0  # seconds between asking the processes to stop and killing them
LAST_WORDS = 5.0  # seconds for what is in the pipes when all have ended
RETRY_EVERY = 1.0  # seconds between two tries to write a file, when the disk is full


class Supervisor:
    def __init__(self, time_limit: str, output: Output, command: list[str]) -> None:
        self._output = output
        self._last_error = b""
        self._status: int | None = None
        self._cause = "exit"  # or what stopped it
        self._kill_at = self._heartbeat_at = float("inf")
        self._time_limit = time_limit
        self._stop_at = time.monotonic() + float(time_limit)
        self._wakeup, write = os.pipe()
        for end in (self._wakeup, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._control = os.open("control", os.O_RDWR | os.O_NONBLOCK)
        self.pid, (out, err) = processes.start(command, "work")
        self._pipes = {out: (STDOUT, Lines()), err: (STDERR, Lines())}

    def run(self) -> None:
        """Until the script has ended, and nothing that it has started is left."""
        write_file("started", str(self.pid))
        self._heartbeat_at = 0
        while not self._has_exited():
            self._wait()
            self._look(time.monotonic())
        processes.end_children(self.pid)
        deadline = time.monotonic() + LAST_WORDS
        while time.monotonic() < deadline:
            if not sum(self._read(pipe) for pipe in list(self._pipes)):
                break
        for pipe in list(self._pipes):  # a process that is not of this run has it open
            self._add(pipe, b"")
        self._output.close()

    def end(self) -> dict[str, object]:
        last_error = self._last_error[:2000].decode("utf-8", "backslashreplace")
        return {"status": self._status, "cause": self._cause, "last_error": last_error}

    def _wait(self) -> None:
        ready, _, _ = select.select([*self._pipes, self._wakeup, self._control], [], [], LOOK_EVERY)
        for end in ready:
            if end in self._pipes:
                self._read(end)
            elif os.read(end, CHUNK) and end == self._control:
                self._stop("stopped")

    def _read(self, pipe: int) -> bool:
        """Whether there was any output in it."""
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return False
        self._add(pipe, data)
        return bool(data)

    def _add(self, pipe: int, data: bytes) -> None:
        stream, lines = self._pipes[pipe]
        complete = lines.feed(data)
        if complete:
            self._output.add(stream, complete)
        if stream == STDERR:
            self._last_error = next((line for line in reversed(complete) if line.strip()), self._last_error)
        if not data:
            del self._pipes[pipe]
            os.close(pipe)

    def _has_exited(self) -> bool:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.pid:
                    self._status = os.waitstatus_to_exitcode(ended[1])
        return self._status is not None

    def _look(self, now: float) -> None:
        if now >= self._stop_at:
            self._stop(f"time limit of {self._time_limit} s exceeded")
        if now >= self._kill_at:
            self._kill_at = now + STOP_PATIENCE
            processes.kill(self.pid)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_EVERY
            try:
                os.utime("supervisor")
            except FileNotFoundError:  # nobody can ever learn how the run ends
                self._stop("removed")
            if processes.LINUX:
                self._note_processes()

    def _stop(self, cause: str) -> None:
        """Ask every process to stop; asking twice gives them no more time."""
        if self._kill_at < float("inf"):
            return
        self._kill_at = time.monotonic() + STOP_PATIENCE
        self._cause = cause
        processes.ask_to_stop(self.pid)

    def _note_processes(self) -> None:
        lines = []
        for pid in processes.descendants(os.getpid()):
            with suppress(OSError):
                lines.append(f"{pid} {processes.start_time(pid)}\n")
        with suppress(OSError):
            write_file("processes", "".join(lines), sync=False)


def write_file(name: str, text: str, *, sync: bool = True) -> None:
    """Write it as a whole; ``sync``: and see that it is on the disk."""
    with open(f"{name}.new", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    os.rename(f"{name}.new", name)
    if sync:
        directory = os.open(".", os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def write_end(end: dict[str, object]) -> None:
    """Write it as soon as there is room on the disk, unless the directory has been removed."""
    while True:
        try:
            return write_file("end", json.dumps(end))
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(RETRY_EVERY)


def become_supervisor() -> int | None:
    """Take the run, and leave the worker's family.

    Returns:
        The file that is locked as long as this process lives; None when the run has a supervisor already.
    """
    lock = os.open(f"supervisor.{os.getpid()}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        os.link(f"supervisor.{os.getpid()}", "supervisor")  # nobody sees it unlocked
    except FileExistsError:
        return None
    finally:
        os.unlink(f"supervisor.{os.getpid()}")
    for number in processes.IGNORED:
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def main(directory: str, time_limit: str, lines: str, size: str, *command: str) -> int:
    os.fchdir(int(directory))
    os.close(int(directory))
    os.environ.pop("LC_CTYPE", None)  # Python's own addition; scripts are not given it
    if become_supervisor() is None:
        return 1
    processes.adopt_descendants()
    try:
        supervisor = Supervisor(time_limit, Output(int(lines), int(size)), list(command))
    except (OSError, ValueError) as error:
        write_end({"status": None, "cause": "not started", "last_error": str(error)})
        return 0
    supervisor.run()
    write_end(supervisor.end())
    return 0
