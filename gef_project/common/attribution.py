"""Who makes a change and why, for the log rows that the database itself writes.

Creations and deletions of executions are logged by triggers, so that a cascade or hand-written
SQL is logged too. What a trigger cannot know is handed to it in settings of the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection, transaction

if TYPE_CHECKING:
    from gef_project.accounts.models import User

# As SQL: what the triggers read. Outside of any block each is null or the empty string.
ACTOR = "nullif(current_setting('status_log.actor', true), '')::uuid"
SOURCE = "coalesce(current_setting('status_log.source', true), '')"
REASON = "coalesce(current_setting('status_log.reason', true), '')"


@contextmanager
def attributed_to(actor: "User | None" = None, source: str = "", reason: str = "") -> Iterator[None]:
    """Attribute the creations and deletions of executions inside the block, which is one transaction."""
    with transaction.atomic():
        _hand_over(str(actor.pk) if actor else "", source, reason)
        yield
        _hand_over("", "", "")  # an outer transaction goes on without it


def _hand_over(actor: str, source: str, reason: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('status_log.actor', %s, true),"
            " set_config('status_log.source', %s, true), set_config('status_log.reason', %s, true)",
            [actor, source, reason],
        )
