"""Let go of the oldest rows of the ledger, a batch at a time, without getting in any writer's way."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from gef_project.common.locking import retry_deadlocks

from .models import StatusLog

# Whoever prunes takes it for each batch, so two at once take turns; no writer of the ledger ever does.
PRUNING_LOCK = 5_764_816_170_911_002

# The setting of a transaction by which a trigger knows who deletes.
PRUNING = "status_log.pruning"

BATCH = 10_000  # rows a transaction


def prune(older_than: datetime, batch: int | None = None) -> Iterator[int]:
    """Delete the rows from before that moment, oldest first; never the newest row.

    Each batch is a transaction of its own that takes no lock of the ledger. Whatever stops it in between,
    the rows that are left are a ledger from their first one on, and the next call goes on. Two at once
    share the work.

    Yields:
        The number of rows of each batch that this call has deleted.

    Raises:
        LedgerBusy: another call has been at one batch for too long; try again.
    """
    batch = batch or BATCH
    ids = StatusLog.objects.ids_between(end=older_than)
    if not ids:
        return
    stop = min(ids.stop, StatusLog.objects.newest().id)
    for start in range(ids.start, stop, batch):
        yield _delete(range(start, min(start + batch, stop)))


@retry_deadlocks
@transaction.atomic
def _delete(ids: range) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PRUNING_LOCK])
        cursor.execute("SELECT set_config(%s, 'on', true)", [PRUNING])
        cursor.execute("DELETE FROM status_log WHERE id BETWEEN %s AND %s", [ids.start, ids.stop - 1])
        return int(cursor.rowcount)
