"""Ends what nobody will end any more, and tries again what was lost on the way.

Everything here may run at any time, anywhere, and twice at once.
"""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import psutil
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from status.states import Status

from . import dispatch
from .models import Execution
from .process import params_file_of

# Longer than a run's own worker takes to stop its process.
ORPHANED_AFTER = timedelta(minutes=1)
# An e-mail is tried again until its execution's end is that long ago, but not while the first try may go on.
ANNOUNCE_BETWEEN = timedelta(minutes=2), timedelta(days=1)


def fail_lost() -> int:
    """Fail the executions whose worker has vanished.

    Returns:
        How many.
    """
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
    latest, earliest = (timezone.now() - age for age in ANNOUNCE_BETWEEN)
    ended = Execution.objects.unannounced().filter(end_date__range=(earliest, latest))
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


def stop_orphans() -> int:
    """Kill the processes on this machine whose execution has ended or is gone: their worker was killed.

    Returns:
        How many.
    """
    processes = processes_of_runs()
    executions = Execution.objects.filter(pk__in=set(processes.values()))
    ended_lately = Q(end_date__gte=timezone.now() - ORPHANED_AFTER)
    kept = set(executions.filter(Q(end_date=None) | ended_lately).values_list("pk", flat=True))
    orphans = [process for process, execution_id in processes.items() if execution_id not in kept]
    for process in orphans:
        with suppress(psutil.Error):
            process.kill()
    return len(orphans)


def processes_of_runs() -> dict[psutil.Process, UUID]:
    """Every process on this machine that a run of this service has started, with its execution."""
    return {process: pk for process in psutil.process_iter() if (pk := _execution_of(process))}


def _execution_of(process: psutil.Process) -> UUID | None:
    """The execution of this service that the process belongs to, if any."""
    try:
        environment = process.environ()
        execution_id = UUID(environment["EXECUTION_ID"])
    except (psutil.Error, OSError, KeyError, ValueError):
        return None
    return execution_id if environment.get("PARAMS_FILE") == str(params_file_of(execution_id)) else None
