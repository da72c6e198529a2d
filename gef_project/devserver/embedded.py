"""A server of the project's own, with its data in ``VAR_DIR``.

The first process that needs it starts it; the last one to exit stops it. Every process that uses it holds a
shared lock on a file, which the kernel releases however the process ends.
"""

import atexit
import fcntl
import functools
import hashlib
import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, ClassVar, Self

import psutil

from gef_project.common.waiting import still_running

SOCKET_PATH_MAX = 103  # bytes: what every Unix takes
SHUTDOWN = 10  # seconds


class EmbeddedServer(ABC):
    """The server whose data is in a directory of ``var_dir``, as this process uses it."""

    name: ClassVar[str]  # of its directory, its log and its locks in VAR_DIR
    title: ClassVar[str]
    failure: ClassVar[type[Exception]]  # raised when it cannot be started
    socket_name: ClassVar[str]
    stop_signals: ClassVar[tuple[signal.Signals, ...]]  # each is tried when the one before does not help

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.data_dir = var_dir / self.name
        self.log = var_dir / "log" / f"{self.name}.log"
        self._lock = var_dir / f"{self.name}.lock"
        self._users = var_dir / f"{self.name}.users"
        self._user_lock: IO[str] | None = None  # open, with a shared lock, while this process is a user

    @classmethod
    @functools.cache
    def for_this_process(cls, var_dir: Path) -> Self:
        """The one that this process uses, until it exits."""
        server = cls(var_dir)
        atexit.register(server.leave)
        os.register_at_fork(after_in_child=server.forget)
        return server

    def start(self) -> str:
        """Have the server running.

        Returns:
            The directory of its Unix socket.

        Raises:
            failure: it cannot be started; the message says why.
        """
        socket_dir = self.socket_dir()
        if self._user_lock is not None and self.process() is not None:
            return str(socket_dir)
        self.join()
        with self._locked():
            if self.process() is None:
                self.log.parent.mkdir(exist_ok=True)
                self._launch(socket_dir)
            self._complete(socket_dir)
        return str(socket_dir)

    def join(self) -> None:
        """Be a user of the server, running or not: so :meth:`leave` stops one that killed users have left."""
        with self._locked():
            if self._user_lock is None:
                self._user_lock = self._users.open("a")
                fcntl.flock(self._user_lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Use the server no longer; stop it if this was its last user."""
        if self._user_lock is None or not self.var_dir.exists():
            return
        with self._locked(), self._user_lock, suppress(BlockingIOError):
            fcntl.flock(self._user_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
        self._user_lock = None

    def forget(self) -> None:
        """In a forked child: what the parent uses, this process does not."""
        if self._user_lock is not None:
            self._user_lock.close()  # the parent's lock stays: it has the file open as well
            self._user_lock = None

    def process(self) -> psutil.Process | None:
        """The running server, which takes connections; None when there is none."""
        return self._live_process() if self._is_ready() else None

    def socket_dir(self) -> Path:
        """The data directory, which only the server's user enters; elsewhere if that path is too long."""
        if len(os.fsencode(self.data_dir / self.socket_name)) <= SOCKET_PATH_MAX:
            return self.data_dir
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gef-{digest}"

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Begins with the process id, once the server has written it."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it takes connections."""

    @abstractmethod
    def _launch(self, socket_dir: Path) -> None:
        """Start it, and wait until it is ready."""

    def _complete(self, socket_dir: Path) -> None:  # noqa: B027 - most need nothing more
        """Have in it what its users expect."""

    def _pid(self) -> int | None:
        with suppress(OSError, IndexError, ValueError):
            return int(self.pid_file.read_text().split()[0])
        return None

    def _live_process(self) -> psutil.Process | None:
        """The process of the pid file: neither a zombie nor a program that has been given that pid since."""
        with suppress(psutil.Error):
            if (pid := self._pid()) is not None:
                process = psutil.Process(pid)
                if str(self.data_dir) in process.cmdline():
                    return process
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time starts or stops the server, and does it to the end."""
        # Interrupted half-way, it would leave a server that nobody stops.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            with self._lock.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _stop(self) -> None:
        process = self._live_process()
        if process is None:
            return
        for number in self.stop_signals:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if not still_running([process], SHUTDOWN):
                return

    def _make_private(self, path: Path) -> None:
        """A directory for the server's user alone."""
        path.mkdir(mode=0o700, exist_ok=True)
        if path.stat().st_uid != os.geteuid():
            raise self._failed(f"{path} belongs to somebody else.")

    def _failed(self, why: str) -> Exception:
        return self.failure(f"The embedded {self.title} does not start: {why}")
