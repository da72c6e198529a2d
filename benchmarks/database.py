"""Sets Django up for the benchmarks, and makes databases of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
django.setup()

from django.db import connection  # noqa: E402


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
