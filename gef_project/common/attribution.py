"""Who changes executions, by what, and why: what the database's triggers write to the status log."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction

_NAMES = ["actor", "source", "reason", "permission"]
_READ = ", ".join(f"coalesce(current_setting('status_log.{name}', true), '')" for name in _NAMES)
_WRITE = ", ".join(f"set_config('status_log.{name}', %s, true)" for name in _NAMES)


@contextmanager
def attributed_to(
    actor: AbstractBaseUser | None = None,
    source: str = "",
    reason: str = "",
    *,
    permission: str = "",
    savepoint: bool = True,
) -> Iterator[None]:
    """Attribute what the block changes, which is one transaction, or a part of one.

    Afterwards an outer block's attribution is in effect again. An error takes the settings back by itself.

    Args:
        permission: what the block may do to statuses; only for the methods that change them.
        savepoint: whether an error inside leaves an outer transaction usable.
    """
    with transaction.atomic(savepoint=savepoint), connection.cursor() as cursor:
        inner = [str(actor.pk) if actor else "", source, reason, permission]
        cursor.execute(f"SELECT {_READ}, {_WRITE}", inner)
        outer = cursor.fetchone()[: len(_NAMES)]
        yield
        cursor.execute(f"SELECT {_WRITE}", outer)
