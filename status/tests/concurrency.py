"""Run code in threads or processes, each with a database connection of its own."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction

fork = multiprocessing.get_context("fork")


def shorten_deadlock_timeout() -> None:
    """Let this connection detect deadlocks at once, not after a second."""
    with connection.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '20ms'")


def race(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work(number)`` in ``count`` threads that start together; returns each result or exception."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        try:
            shorten_deadlock_timeout()
            start.wait()
            return work(number)
        except Exception as error:  # the caller looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def in_processes(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work(number)`` in ``count`` forked processes at once; returns what each returned.

    Raises:
        RuntimeError: a process failed.
    """
    connections.close_all()
    results = fork.SimpleQueue()

    def run(number: int) -> None:
        try:
            results.put((number, work(number), None))
        except BaseException as error:
            results.put((number, None, repr(error)))
        finally:
            connections.close_all()

    processes = [fork.Process(target=run, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    outcomes = sorted((results.get() for _ in processes), key=lambda outcome: outcome[0])
    for process in processes:
        process.join()
    if errors := [error for _, _, error in outcomes if error]:
        raise RuntimeError("; ".join(errors))
    return [result for _, result, _ in outcomes]


def errors_in(outcomes: list[object], *expected: type[Exception]) -> list[Exception]:
    """The exceptions among the outcomes; one that is not of an expected type is raised."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    for error in errors:
        if not isinstance(error, expected):
            raise error
    return errors


@contextmanager
def uncommitted(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Do the work in a transaction of another connection, which stays open during the block.

    Yields:
        A function that rolls it back; so does the end of the block.
    """
    begun, end = threading.Event(), threading.Event()

    def hang() -> None:
        try:
            with transaction.atomic():
                work()
                begun.set()
                end.wait()
                transaction.set_rollback(True)
        finally:
            begun.set()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(hang)
        begun.wait()
        try:
            yield end.set
        finally:
            end.set()
    hanging.result()


def pids_waiting_for_ledger() -> list[int]:
    """The server processes of this database that wait for the ledger's lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        )
        return [pid for (pid,) in cursor.fetchall()]
