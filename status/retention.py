"""Let go of the oldest rows of the ledger, a batch at a time, without getting in any writer's way."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from .models import StatusLog
from .triggers import PRUNING


def prune(older_than: datetime, batch: int = 10_000) -> Iterator[int]:
    """Delete the rows from before that moment, oldest first; never the newest row.

    Each batch is a transaction of its own that takes no lock of the ledger. Whatever stops it in between,
    the rows that are left are a ledger from their first one on, and the next call goes on.

    Yields:
        The number of rows of each batch that is gone.
    """
    ids = StatusLog.objects.ids_between(end=older_than)
    stop = min(ids.stop, StatusLog.objects.newest().id)
    for start in range(ids.start, stop, batch):
        yield _delete(range(start, min(start + batch, stop)))


@transaction.atomic
def _delete(ids: range) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, 'on', true)", [PRUNING])
        cursor.execute("DELETE FROM status_log WHERE id BETWEEN %s AND %s", [ids.start, ids.stop - 1])
        return int(cursor.rowcount)
