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
    end = StatusLog.objects.first_id_since(older_than)
    while rows := _prune_before(end, batch):
        yield rows


@transaction.atomic
def _prune_before(end: int, batch: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, 'on', true)", [PRUNING])
    oldest = StatusLog.objects.filter(id__lt=end).order_by("id").values("id")[:batch]
    return StatusLog.objects.filter(id__in=list(oldest.values_list("id", flat=True)))._raw_delete("default")
