"""Migrate the test's database to an earlier migration and back."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Target = tuple[str, str]


def migrate(*targets: Target) -> Apps:
    """Migrate to the targets; returns the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


@contextmanager
def migrated_back(*targets: Target) -> Iterator[Apps]:
    """Migrate back to the targets; at the end of the block to the newest migrations again."""
    try:
        yield migrate(*targets)
    finally:
        migrate(*MigrationExecutor(connection).loader.graph.leaf_nodes())
