"""Measure what ``migrate`` costs a deployment of the periodic task, in this checkout and in another:

    python -m benchmarks.checkouts.migration ../older --rounds 2

A million rows of the periodic task and 300 thousand executions, while clients read the status log and write
executions. Each checkout uses its own .venv, and a database of its own on the server of GEF_BENCH_URL.
"""

import argparse
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg

ROWS, EXECUTIONS, READERS = 1_000_000, 300_000, 2

_FILL = """
    INSERT INTO accounts_user (id, password, is_superuser, email, name, institution, country,
        email_notifications, is_active, is_staff, date_joined, token_generation)
    SELECT gen_random_uuid(), '', false, 'bench@example.org', '', '', '', false, true, false, now(), 0;
    INSERT INTO executions_script (id, slug, name, description, command, time_limit, published,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'bench', 'Bench', '', '["true"]', 60, true, now(), now();
    INSERT INTO executions_execution (id, script_id, user_id, params, results, status, progress,
        start_date, end_date, worker)
    SELECT gen_random_uuid(), executions_script.id, accounts_user.id, '{}', '{}',
        CASE WHEN number %% 10 = 0 THEN 'RUNNING' WHEN number %% 3 = 0 THEN 'FAILED' ELSE 'FINISHED' END, 50,
        now() - interval '1 day', CASE WHEN number %% 10 <> 0 THEN now() END, ''
    FROM executions_script, accounts_user, generate_series(1, %(executions)s) AS number;
    INSERT INTO status_log (timestamp, executions_active, executions_ready, executions_running,
        executions_finished, executions_failed, executions_count, users_count, scripts_count)
    SELECT '2021-01-01Z'::timestamptz + number * interval '2 minutes', number %% 50, 3, number %% 40,
        number %% 7, number %% 2, number, 10, 5
    FROM generate_series(1, %(rows)s) AS number
"""


class Figures(NamedTuple):
    seconds: float
    longest_read: float
    longest_write: float
    size_ratio: float
    wal_gb: float


class Clients:
    """Threads that read the status log and write executions; each keeps the longest time that it waited."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.longest = {"read": 0.0, "write": 0.0}

    def _run(self, kind: str, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.is_set():
                start = time.perf_counter()
                with suppress(psycopg.Error):
                    connection.execute(statement)
                self.longest[kind] = max(self.longest[kind], time.perf_counter() - start)
                time.sleep(0.02)

    @contextmanager
    def running(self) -> Iterator[None]:
        read = "SELECT * FROM status_log ORDER BY timestamp DESC LIMIT 100"
        one = "(SELECT id FROM executions_execution LIMIT 1)"
        write = f"UPDATE executions_execution SET progress = 51 WHERE id = {one}"
        threads = [threading.Thread(target=self._run, args=("read", read)) for _ in range(READERS)]
        threads.append(threading.Thread(target=self._run, args=("write", write)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


def measure(root: Path, server: str, database: str) -> Figures:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {database}")
    url = urlsplit(server)._replace(path=f"/{database}").geturl()

    def manage(*arguments: str) -> None:
        subprocess.run(
            [root / ".venv" / "bin" / "python", "manage.py", "migrate", "--verbosity=0", *arguments],
            cwd=root,
            env={**os.environ, "DATABASE_URL": url, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
            check=True,
        )

    manage("accounts")
    manage("django_celery_beat")
    manage("executions", "0001")
    manage("status", "0001")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT 1")
            for statement in _FILL.split(";"):
                connection.execute(statement, {"rows": ROWS, "executions": EXECUTIONS}, prepare=False)
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
            size, wal = _size(connection), _wal(connection)
            clients = Clients(url)
            with clients.running():
                start = time.perf_counter()
                manage()
                seconds = time.perf_counter() - start
            grown = _size(connection) / size
            written = (_wal(connection) - wal) / 1e9
        return Figures(seconds, clients.longest["read"], clients.longest["write"], grown, written)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _size(connection: psycopg.Connection) -> int:
    return int(connection.execute("SELECT pg_total_relation_size('status_log')").fetchone()[0])  # type: ignore[index]


def _wal(connection: psycopg.Connection) -> float:
    row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return float(row[0])  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    server = os.environ.get("GEF_BENCH_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    print("| checkout | migrate, s | longest read, s | longest write, s | size of status_log | WAL, GB |")
    print("|---|---|---|---|---|---|")
    for _ in range(options.rounds):
        for name, root in (("this", Path.cwd()), ("other", options.other.resolve())):
            one = measure(root, server, f"gef_migration_{name}")
            print(
                f"| {name} | {one.seconds:.1f} | {one.longest_read:.2f} | {one.longest_write:.2f} "
                f"| {one.size_ratio:.1f} times | {one.wal_gb:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
