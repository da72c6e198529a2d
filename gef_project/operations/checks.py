"""System checks of the database server's version."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

OLDEST, NEWEST = 15, 18


@register(Tags.database)
def check_servers(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the servers of these databases; ``manage.py migrate`` passes them."""
    return [
        problem
        for alias in databases or ()
        for problem in check_version(connections[alias].pg_version // 10_000)  # type: ignore[attr-defined]
    ]


def check_version(major: int) -> list[CheckMessage]:
    if major < OLDEST:
        hint = f"Use PostgreSQL {OLDEST} to {NEWEST}, or no DATABASE_URL: then the embedded one is used."
        return [Error(f"PostgreSQL {major} is too old.", hint=hint, id="gef.E001")]
    if major > NEWEST:
        hint = f"Known to work are PostgreSQL {OLDEST} to {NEWEST}."
        return [Warning(f"PostgreSQL {major} has not been tried.", hint=hint, id="gef.W001")]
    return []
