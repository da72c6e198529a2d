"""The strip of health: one word each for the ledger, the workers, the queue and the scheduler."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from executions.admin.display import span
from executions.admin.lookups import oldest_waiting
from gef_project.operations.models import CountCheck
from gef_project.operations.workers import CACHED_FOR, ask_workers

CHECK_IS_OLD = timedelta(minutes=30)
BEAT_IS_SILENT = timedelta(minutes=15)  # it stores every few minutes what it has sent
WAITS_LONG = timedelta(minutes=5)


@dataclass(frozen=True)
class Sign:
    """``state`` is good, bad, or unknown."""

    name: str
    state: str
    text: str
    time: datetime | None = None


def signs() -> list[Sign]:
    """What the database knows at once."""
    return [ledger(), queue(), beat()]


def ledger() -> Sign:
    check = CountCheck.objects.last()
    if check is None:
        return Sign(_("Ledger"), "unknown", _("not checked yet"))
    if check.fault:
        return Sign(_("Ledger"), "bad", _("has drifted: %s") % check.fault, check.checked_at)
    is_old = timezone.now() - check.checked_at > CHECK_IS_OLD
    text = _("exact when last checked") if is_old else _("exact, no drift; checked")
    return Sign(_("Ledger"), "unknown" if is_old else "good", text, check.checked_at)


def queue() -> Sign:
    oldest = oldest_waiting()
    if oldest is None:
        return Sign(_("Queue"), "good", _("nothing waits"))
    waits = timezone.now() - oldest.start_date
    state = "bad" if waits > WAITS_LONG else "good"
    return Sign(_("Queue"), state, _("the oldest has waited for %s") % span(waits))


def beat() -> Sign:
    last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    if last is None:
        return Sign(_("Scheduler"), "unknown", _("has sent nothing yet"))
    silent = timezone.now() - last > BEAT_IS_SILENT
    return Sign(_("Scheduler"), "bad" if silent else "good", _("last sent a task"), last)


def workers() -> Sign:
    """Takes a second, unless they were asked in the last seconds."""
    answer: Any = cache.get_or_set("workers", ask_workers, CACHED_FOR)
    nodes = answer["nodes"]
    if not nodes:
        return Sign(_("Workers"), "bad", str(answer["error"]))
    running = sum(node["running_tasks"] for node in nodes)
    return Sign(
        _("Workers"), "good", _("%(workers)d, doing %(tasks)d") % {"workers": len(nodes), "tasks": running}
    )
