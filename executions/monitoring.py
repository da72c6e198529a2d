"""Fails what nobody will end any more, and sends again what was lost on the way.

Everything here may run at any time, anywhere, and twice at once.
"""

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from status.states import Status

from . import dispatch
from .models import Execution, LeaseClock


def fail_lost() -> int:
    """Fail the executions whose lease has ended: no worker of their machine has been heard of for the grace.

    Returns:
        How many.
    """
    if not LeaseClock.is_steady(settings.WORKER_GRACE):
        return 0  # the database was away, say; let the machines renew their leases first
    lost = Execution.objects.lost(settings.WORKER_GRACE)
    workers = lost.order_by("worker").values_list("worker").annotate(Max("heartbeat_at"))
    return sum(
        lost.filter(worker=worker).update_status(
            Status.FAILED,
            source="monitor",
            reason=f"worker {worker} has not been heard of since {heard_of:%Y-%m-%d %H:%M:%S} UTC",
        )
        for worker, heard_of in workers
    )


def requeue_overdue() -> int:
    """Queue again what no worker has taken: its message was lost, or the broker was down.

    Returns:
        How many.
    """
    return Execution.objects.overdue(settings.WORKER_GRACE).requeue()


def announce_unannounced() -> None:
    """Try again to tell the owners of what has ended."""
    ended = Execution.objects.not_announced_in_time()
    with transaction.atomic():
        dispatch.send_end_emails(ended.order_by("end_date").values_list("pk", flat=True))


def fail_stale() -> int:
    """Fail the executions that have not ended for days.

    Returns:
        How many.
    """
    age = settings.STALE_AFTER
    return Execution.objects.stale(age).update_status(
        Status.FAILED, source="cleanup", reason=f"not ended {age.days} days after its creation"
    )
