"""A database of a benchmark's own, and processes that write to it over connections of their own."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
django.setup()

from django.db import connection, connections  # noqa: E402

fork = multiprocessing.get_context("fork")


@contextmanager
def own_database(name: str) -> Iterator[None]:
    """Make and migrate a database of that name on the project's server; drop it afterwards."""
    connection.settings_dict["TEST"]["NAME"] = name
    original = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(original, verbosity=0)


def in_processes(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work(number)`` in ``count`` forked processes at once; what each returned.

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
