"""Who makes a change and why, for the log rows that the database itself writes.

Triggers log the creations and deletions of executions, so that a cascade or hand-written SQL is logged
too. They read what they cannot know from settings of the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction

# As SQL: what the triggers read. Outside of any block each is null or the empty string.
ACTOR = "nullif(current_setting('status_log.actor', true), '')::uuid"
SOURCE = "coalesce(current_setting('status_log.source', true), '')"
REASON = "coalesce(current_setting('status_log.reason', true), '')"


@contextmanager
def attributed_to(
    actor: AbstractBaseUser | None = None, source: str = "", reason: str = ""
) -> Iterator[None]:
    """Attribute the creations and deletions of executions inside the block, which is one transaction."""
    with transaction.atomic():
        _set(str(actor.pk) if actor else "", source, reason)
        yield
        _set("", "", "")  # an enclosing transaction may go on


def _set(actor: str, source: str, reason: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('status_log.actor', %s, true),"
            " set_config('status_log.source', %s, true), set_config('status_log.reason', %s, true)",
            [actor, source, reason],
        )
