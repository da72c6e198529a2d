"""The page of one execution: what happened to it, and one of its tabs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model
from django.http import QueryDict
from django.utils import timezone

from executions.models import Execution
from status.admin.display import transition
from status.models import StatusLog
from status.states import Status

from . import lookups
from .display import document, newest
from .log_page import Lines, last_errors

TABS = {"log": "Log", "data": "Params and results", "history": "History", "raw": "Raw"}
WIDTH = 900  # of the timeline
NARROWEST = 4


@dataclass(frozen=True)
class Part:
    """One stretch of the timeline."""

    name: str
    label: str
    start: datetime
    length: timedelta
    x: float
    width: float


def context_of(execution: Execution, asked: QueryDict) -> dict[str, Any]:
    [execution] = lookups.with_reasons([execution])
    tab = asked.get("tab", "")
    tab = tab if tab in TABS else "log"
    context = {
        "execution": execution,
        "title": f"{execution.script.name}: {execution.get_status_display()}",
        "subtitle": str(execution.pk)[:8],
        "parts": timeline(execution),
        "timeline_width": WIDTH,
        "tab": tab,
        "tabs": TABS.items(),
        "errors": last_errors(execution) if execution.status == Status.FAILED else [],
    }
    return context | _TAB_CONTEXTS[tab](execution, asked)


def timeline(execution: Execution) -> list[Part]:
    """Queued, claimed, running: each until the next began, or the end, or now."""
    end = execution.end_date or timezone.now()
    starts = [
        ("queued", "Queued", execution.start_date),
        ("claimed", "Claimed", execution.dispatched_at),
        ("running", "Running", execution.started_at),
    ]
    known = [(name, label, start) for name, label, start in starts if start and start <= end]
    lengths = [
        max(until - start, timedelta())
        for (*_, start), until in zip(known, [start for *_, start in known[1:]] + [end], strict=True)
    ]
    whole = sum(lengths, timedelta()) or timedelta(microseconds=1)
    room, x, parts = WIDTH - NARROWEST * len(known), 0.0, []
    for (name, label, start), length in zip(known, lengths, strict=True):
        width = NARROWEST + room * (length / whole)
        parts.append(Part(name, label, start, length, round(x, 1), round(width, 1)))
        x += width
    return parts


def _log(execution: Execution, asked: QueryDict) -> dict[str, Any]:
    return {"lines": Lines.of(execution, asked), "follows": not execution.has_ended}


def _data(execution: Execution, asked: QueryDict) -> dict[str, Any]:
    return {"documents": [(name, document(execution, name)) for name in ("params", "results")]}


def _history(execution: Execution, asked: QueryDict) -> dict[str, Any]:
    history = newest(StatusLog.objects.filter(execution=execution.pk).select_related("actor"))
    for log in history["rows"]:
        log.transition = transition(log)
    return {"history": history}


def _raw(execution: Execution, asked: QueryDict) -> dict[str, Any]:
    fields = [field for field in execution._meta.concrete_fields if field.name not in {"params", "results"}]
    return {"fields": [(field.attname, _shown(getattr(execution, field.attname))) for field in fields]}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.pk) if isinstance(value, Model) else "null" if value is None else str(value)


_TAB_CONTEXTS = {"log": _log, "data": _data, "history": _history, "raw": _raw}
