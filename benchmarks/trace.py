"""Row 8: replay the jobs of a real trace by the public methods, as fast as they can."""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from tqdm import tqdm

from benchmarks.datasets import PREFIX, ensure_database, execute
from benchmarks.measurement import Figures, Sample
from benchmarks.plan import Plan
from benchmarks.report import Line, rate
from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

FOLDER = settings.BASE_DIR.parent / "shared" / "data"

# The trace's words for how a job ended; unknown ones (-1) have not failed.
ENDS = {0: Status.FAILED, 1: Status.FINISHED, 5: Status.CANCELLED, -1: Status.FINISHED}


class Event(NamedTuple):
    second: int
    job: int
    step: int  # of the job: submitted, started, ended
    status: Status


def replay(plan: Plan) -> Iterator[Line]:
    traces = sorted(FOLDER.glob("*.swf.gz"))
    if not traces:
        yield Line(8, "trace", "not measured: there is no ../shared/data/*.swf.gz")
    for trace in traces:
        events = _events(trace, plan.jobs)
        jobs = len({event.job for event in events})
        figures = Figures()
        verdicts = []
        for flushed in (True, False):
            ensure_database(f"{PREFIX}trace")
            execute(f"SET synchronous_commit = {'on' if flushed else 'off'}")
            before = StatusLog.objects.newest().pk
            start = time.perf_counter()
            _replay(events)
            took = time.perf_counter() - start
            changes = StatusLog.objects.newest().pk - before
            samples = figures.flushed if flushed else figures.unflushed
            samples.append(Sample(changes / took, 0, 0))
            verdicts.append(first_fault())
        what = f"{trace.name}: {len(events):,} changes of {jobs:,} jobs, in order, 1 connection"
        yield rate(8, what, figures)
        fault = next(filter(None, verdicts), None)
        verdict = f"row {fault.log_id}: {fault.problem}" if fault else "every invariant holds"
        yield Line(8, "the check of the ledger after it", verdict, reached="**no**" if fault else "yes")


def _events(trace: Path, jobs: int | None) -> list[Event]:
    """Columns of the Standard Workload Format: job, submitted (s), waited (s), ran (s) …, status (11th)."""
    events = []
    with gzip.open(trace, "rt") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith(";")]
    for columns in rows[:jobs]:
        job, submitted, waited, ran = map(int, columns[:4])
        started = submitted + max(waited, 0)
        events += [
            Event(submitted, job, 0, Status.PENDING),
            Event(started, job, 1, Status.RUNNING),
            Event(started + max(ran, 0), job, 2, ENDS[int(columns[10])]),
        ]
    return sorted(events)


def _replay(events: list[Event]) -> None:
    script, user = Script.objects.get(), User.objects.get()
    executions: dict[int, Execution] = {}
    for event in tqdm(events, desc="8 Trace", mininterval=1):
        if event.step == 0:
            executions[event.job] = script.run(user, {"job": event.job}, source="bench")
        else:
            executions[event.job].update_status(event.status, source="bench")
