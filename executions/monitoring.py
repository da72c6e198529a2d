"""Fails what nobody will end any more, and sends again what was lost on the way.

Everything here may run at any time, anywhere, and twice at once.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from status.states import Status

from . import dispatch
from .models import Execution, LeaseClock

LAST_DOUBLING = 10  # of the delay before another attempt


def fail_lost() -> int:
    """Fail the executions whose lease has ended: no worker of their machine has been heard of for the grace.

    Those whose script allows another attempt are run again.

    Returns:
        How many.
    """
    if not LeaseClock.is_steady(settings.WORKER_GRACE):
        return 0  # the database was away, say; let the machines renew their leases first
    lost = Execution.objects.lost(settings.WORKER_GRACE)
    allowed = lost.filter(attempt__lt=F("script__attempts")).select_related("script")
    again = sum(_run_again(execution) for execution in allowed)
    workers = lost.order_by("worker").values_list("worker").annotate(Max("heartbeat_at"))
    return again + sum(
        lost.filter(worker=worker).update_status(
            Status.FAILED, source="monitor", reason=_loss(worker, heard_of)
        )
        for worker, heard_of in workers
    )


@transaction.atomic
def _run_again(execution: Execution) -> bool:
    """Make it PENDING, if it is lost still; it is queued after a delay, which doubles with each attempt."""
    script, attempt = execution.script, execution.attempt
    delay = timedelta(seconds=script.retry_delay * 2 ** min(attempt - 1, LAST_DOUBLING))
    row = Execution.objects.filter(pk=execution.pk, attempt=attempt)
    lost = row.lost(settings.WORKER_GRACE)
    loss = _loss(execution.worker, execution.heartbeat_at)
    reason = f"attempt {attempt} of {script.attempts}: {loss}"
    if not lost.update_status(Status.READY, source="monitor", reason=reason) and not lost.exists():
        return False
    reason = f"attempt {attempt + 1} of {script.attempts}, after {delay.total_seconds():.0f} s"
    if not row.filter(status=Status.READY).update_status(Status.PENDING, source="monitor", reason=reason):
        return False
    row.update(attempt=attempt + 1, run_after=Now() + delay, log_position=0, worker="", heartbeat_at=None)
    return True


def _loss(worker: str, heard_of: datetime | None) -> str:
    return f"worker {worker} has not been heard of since {heard_of:%Y-%m-%d %H:%M:%S} UTC"


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
