"""The operator's way past the rules: give an execution a status to which it cannot move.

Only ``manage.py force_status`` comes here. The database's guards are off for the one statement that changes
the row, and for nobody else: that they are is seen by no other transaction before they are on again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models.functions import Coalesce, Now

from gef_project.common.locking import retries_deadlocks
from status.exceptions import ExecutionGone, StatusChangeError
from status.models import StatusLog
from status.sources import Source
from status.states import TERMINAL, Status

from .history import reason_of_forced
from .models import Execution

if TYPE_CHECKING:
    from gef_project.accounts.models import User

_TABLE = Execution._meta.db_table


class MovedMeanwhile(StatusChangeError):
    """The execution is not any more where the operator saw it."""


@retries_deadlocks
@transaction.atomic(durable=True)
def force_status(
    execution: Execution, status: Status, *, seen: Status | None = None, actor: "User", reason: str
) -> StatusLog | None:
    """Give the execution this status, whatever the rules say, and record it by a snapshot of the ledger.

    ``end_date`` is what the status asks for: an end that there was stays, one that there was not is now. The
    next move gets the number that the ledger expects. All else stays as it is: progress, results, worker,
    whether the owner has been told.

    Args:
        seen: the status that it must still have; None: any.

    Returns:
        The snapshot's row; None if it has that status already.

    Raises:
        ExecutionGone: it has been deleted.
        MovedMeanwhile: it is not in ``seen``.
        LedgerBusy: a transaction that writes executions, or the ledger, has not ended within
            ``LOCK_TIMEOUT``; try again.
    """
    _lock_out_writers()
    status_from = Execution.objects.filter(pk=execution.pk).values_list("status", flat=True).first()
    if status_from is None:
        raise ExecutionGone(f"Execution {execution.pk} has been deleted.")
    if seen not in (None, status_from):
        raise MovedMeanwhile(f"Execution {execution.pk} is {status_from} by now, not {seen} any more.")
    if status_from == status:
        return None
    end_date = Coalesce("end_date", Now()) if status in TERMINAL else None
    newest = StatusLog.objects.filter(execution=execution.pk).order_by("-move").values("move")[:1]
    moves = Coalesce(newest, "moves")
    with _guards_off():
        Execution.objects.filter(pk=execution.pk).update(status=status, end_date=end_date, moves=moves)
    return StatusLog.objects.append_snapshot(
        actor=actor,
        source=Source.REPAIR,
        reason=reason_of_forced(execution, status_from, status, reason),
    )


def _lock_out_writers() -> None:
    """Wait until no transaction has written or locked a row of the table, and let none begin to.

    Taken first, it is the only lock to wait for long: whoever moves an execution, and so holds the ledger,
    has locked the table for writing before. The weaker lock that ALTER TABLE takes would let others hold
    rows by SELECT FOR UPDATE, wait for this transaction to change them, and have it wait for those rows.
    Readers go on.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {_TABLE} IN EXCLUSIVE MODE")


@contextmanager
def _guards_off() -> Iterator[None]:
    """Those, too, that speak at the end of a transaction: they check only what they have seen."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {_TABLE} DISABLE TRIGGER USER")
        yield
        cursor.execute(f"ALTER TABLE {_TABLE} ENABLE TRIGGER USER")
