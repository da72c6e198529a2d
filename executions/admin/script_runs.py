"""What the last runs of a script tell: how many ended well, and how long they waited and ran."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any
from uuid import UUID

from django.db.models import F, TextField, Value
from django.db.models.functions import Cast, Left, Length
from django.utils.translation import gettext as _

from executions.models import Execution, Script
from status.states import Status

from .display import indented, span

RUNS = 100
LONGEST_PARAMS = 100_000  # characters that a form is filled with


@dataclass(frozen=True)
class Times:
    """Of some durations, in seconds: their median and their 95th percentile; None where there is none."""

    median: float | None
    p95: float | None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Times":
        known = sorted(seconds)
        if len(known) < 2:
            return cls(*known, *known) if known else cls(None, None)
        return cls(median(known), quantiles(known, n=20, method="inclusive")[-1])

    def __str__(self) -> str:
        if self.median is None or self.p95 is None:
            return _("none yet")
        return _("median {median}, 95% within {p95}").format(median=_span(self.median), p95=_span(self.p95))


def rate(outcomes: Iterable[str | None], wanted: Status) -> str:
    """The share of those that ended which ended so, in percent."""
    ended = [outcome for outcome in outcomes if outcome]
    return f"{100 * ended.count(wanted) / len(ended):.0f}%" if ended else ""


def summary(script: Script) -> dict[str, Any]:
    """Of the newest runs, newest first: each, and what they have in common."""
    columns = ["pk", "status", "outcome", "start_date", "started_at", "end_date"]
    newest = Execution.objects.filter(script=script).order_by("-start_date", "-id")
    runs = list(newest.only(*columns)[:RUNS])
    return {
        "runs": [(run, _title(run)) for run in runs],
        "success": rate([run.outcome for run in runs], Status.FINISHED) or _("none yet"),
        "run_times": Times.of(_known(_seconds(run.started_at, run.end_date) for run in runs)),
        "wait_times": Times.of(_known(_seconds(run.start_date, run.started_at) for run in runs)),
    }


def last_params(script: Script, like: UUID | None = None) -> str:
    """The params of the newest run, or of the one with that id, as JSON text.

    ``{}`` if there is none, or they are too long for a form.
    """
    text = Cast(F("params"), TextField())
    runs = Execution.objects.filter(script=script).order_by("-start_date", "-id")
    runs = runs.filter(pk=like) if like else runs
    found = runs.annotate(head=Left(text, LONGEST_PARAMS), rest=Length(text) - Value(LONGEST_PARAMS))
    head, rest = found.values_list("head", "rest").first() or ("{}", 0)
    return "{}" if rest > 0 else indented(head)


def _title(run: Execution) -> str:
    seconds = _seconds(run.started_at, run.end_date)
    took = "" if seconds is None else _span(seconds)
    parts = [Status(run.status).label, f"{run.start_date:%Y-%m-%d %H:%M:%S} UTC", took]
    return " · ".join(part for part in parts if part)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _known(seconds: Iterable[float | None]) -> Iterable[float]:
    return (one for one in seconds if one is not None)


def _span(seconds: float) -> str:
    return span(timedelta(seconds=seconds))
