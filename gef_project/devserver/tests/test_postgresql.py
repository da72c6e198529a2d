"""The embedded PostgreSQL: several users, and the ways in which it is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from gef_project.common.waiting import still_running
from gef_project.devserver.embedded import SOCKET_PATH_MAX
from gef_project.devserver.postgresql.server import DATABASE, Server

pytestmark = pytest.mark.apart


@pytest.fixture
def server(var_dir: Path) -> Iterator[Server]:
    server = Server(var_dir)
    yield server
    server.start()
    server.leave()


def connect(server: Server) -> psycopg.Connection:
    return psycopg.connect(host=server.start(), user="postgres", dbname=DATABASE, autocommit=True)


def kill(server: Server) -> None:
    process = server.process()
    assert process is not None
    process.kill()
    assert still_running([process], 10) == []


def test_it_runs_as_long_as_somebody_uses_it(server: Server, var_dir: Path) -> None:
    server.start()
    other = Server(var_dir)
    other.start()
    server.leave()
    assert other.process() is not None
    other.leave()
    assert other.process() is None


def test_a_user_that_was_killed_does_not_count(server: Server, var_dir: Path) -> None:
    server.start()
    killed = Server(var_dir)
    killed.start()
    killed.forget()  # all that the kernel does for it
    server.leave()
    assert server.process() is None


def test_a_killed_server_is_started_again_with_its_data(server: Server) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept ()")
    kill(server)
    with connect(server) as connection:
        connection.execute("SELECT FROM kept")


def test_the_pid_of_a_killed_server_may_belong_to_another_program(server: Server) -> None:
    server.start()
    pid_file = server.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill(server)
    server.forget()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with connect(server) as connection:
        connection.execute("SELECT")


def test_a_data_directory_that_was_not_completed_is_made_anew(server: Server) -> None:
    half = server.data_dir.with_suffix(".new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    server.start()
    assert server.process() is not None


def test_a_data_directory_that_trusted_everybody_does_so_no_more(server: Server) -> None:
    server.start()
    server.leave()
    (server.data_dir / "pg_hba.conf").write_text("local all all trust\n")
    with connect(server) as connection:
        rules = connection.execute("SELECT auth_method FROM pg_hba_file_rules").fetchall()
    assert rules == [("peer",)]


def test_a_path_too_long_for_a_socket_will_do(var_dir: Path) -> None:
    deep = var_dir / ("d" * SOCKET_PATH_MAX)
    deep.mkdir()
    server = Server(deep)
    with connect(server) as connection:
        connection.execute("SELECT")
    server.leave()
    server.socket_dir().rmdir()


def test_two_processes_may_start_it_at_once(server: Server, var_dir: Path) -> None:
    environment = {**os.environ, "VAR_DIR": str(var_dir), "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", "check", "--database", "default"]
    both = [subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert server.process() is None


def test_dbshell_opens_the_embedded_server_and_no_other(server: Server, var_dir: Path) -> None:
    environment = {**os.environ, "VAR_DIR": str(var_dir), "DATABASE_URL": "", "PGHOST": "/nowhere"}
    command = [sys.executable, "manage.py", "dbshell", "--", "-tAc", "SHOW data_directory"]
    shell = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    assert shell.stdout.strip() == str(server.data_dir)
    assert server.process() is None
