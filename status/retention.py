"""Delete the oldest rows of the status log in batches, without blocking writers."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from gef_project.common.locking import retry_deadlocks

from .models import StatusLog

# An advisory lock for each batch, so that two calls take turns. Writers of the ledger do not take it.
PRUNING_LOCK = 5_764_816_170_911_002

# The setting by which a transaction tells the trigger that it prunes.
PRUNING = "status_log.pruning"

BATCH = 10_000  # rows a transaction


def prune(older_than: datetime, batch: int | None = None) -> Iterator[int]:
    """Delete the rows from before ``older_than``, oldest first, but never the newest row of all.

    Each batch is a transaction of its own and does not lock the ledger. If it is stopped in between, the
    remaining rows are still a correct ledger, and the next call continues. Two calls at once share the work.

    Yields:
        For each batch, the number of rows that this call has deleted.

    Raises:
        LedgerBusy: another call needs too long for a batch; try again.
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
