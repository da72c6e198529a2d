"""Repairs: an operator gives an execution any status, and the status log records it."""

from typing import TYPE_CHECKING

from django.db import transaction

from gef_project.common.locking import retry_deadlocks
from status.exceptions import StatusChangeError
from status.models import Source, StatusLog
from status.states import Status

from .models import Execution
from .models.transitions import REPAIR, Attribution, Change

if TYPE_CHECKING:
    from gef_project.accounts.models import User


class ChangedMeanwhile(StatusChangeError):
    """The execution no longer has the status that the operator saw."""


@retry_deadlocks
@transaction.atomic
def force_status(
    execution: Execution, status: Status, *, seen: Status | None = None, actor: "User", reason: str
) -> StatusLog | None:
    """Give the execution this status, even if the transition is illegal.

    A terminal status keeps the ``end_date`` or sets it to now; another status removes it. Progress, results,
    worker, and whether the owner has been told stay as they are.

    Args:
        seen: the status that the execution must still have; None means any.

    Returns:
        The row of the status log, whose source is ``repair``; None if the execution has this status already.

    Raises:
        ExecutionGone: it has been deleted.
        ChangedMeanwhile: its status is not ``seen``.
        LedgerBusy: another transaction has not ended within ``LOCK_TIMEOUT``; try again.
    """
    current = execution.lock()
    if seen not in (None, current):
        raise ChangedMeanwhile(f"Execution {execution.pk} is {current} by now, no longer {seen}.")
    if current == status:
        return None
    attribution = Attribution(actor, Source.REPAIR, reason)
    return execution.update_from(current, Change(execution.pk, status), attribution, REPAIR)
