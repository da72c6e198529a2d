"""Rows 1 to 3: transitions by ``Execution.update_status``, and by the usual alternatives."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pghistory
from django.db import transaction
from django.db.models import Count, Model

from benchmarks.datasets import EMAIL, Dataset, build_dataset, copy_into, use
from benchmarks.measurement import Measurable, Processes, Step, in_rounds, one_by_one
from benchmarks.plan import Plan
from benchmarks.report import OURS, Line, rate
from benchmarks.rivals.models import CountedJob, CountedLog, RecordedJob, StateMachineJob, TrackedJob
from executions.models import Execution
from gef_project.accounts.models import User
from status.states import ACTIVE, Status

AT_ONCE = (1, 8)
OTHER = {Status.READY: Status.RUNNING, Status.RUNNING: Status.READY}


def connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


# --- Ours -----------------------------------------------------------------------------------------------


def change_status(execution: Execution) -> None:
    execution.update_status(OTHER[Status(execution.status)], source="bench")


def ours(database: Dataset, number: int, processes: int) -> Step:
    return one_by_one(own(Execution, database, number, processes), change_status)


def own(model: Any, database: Dataset, number: int, processes: int) -> list[Any]:
    """The instances that only this process changes."""
    keys: list[Any] = database.own_keys(number, processes)
    if model is StateMachineJob:
        some = list(model.objects.filter(status__in=OTHER).order_by("pk").values_list("pk", flat=True))
        keys = [some[nth] for nth in database.own_numbers(number, processes)]
    found = model.objects.in_bulk(keys)
    return [found[key] for key in keys]


def by_size(plan: Plan) -> Iterator[Line]:
    """Row 1."""
    cells: dict[str, Measurable] = {
        f"{size:,} executions, {connections(count)}": Processes(build_dataset(size), count, ours)
        for count in AT_ONCE  # what is compared is measured side by side
        for size in plan.sizes
    }
    figures = in_rounds(cells, plan.rounds, plan.seconds, title="1 Sizes")
    for count in AT_ONCE:
        least, *more = (f"{size:,} executions, {connections(count)}" for size in plan.sizes)
        yield rate(1, f"update_status: {least}", figures[least])
        for name in more:
            of = f"this / {plan.sizes[0]:,} executions"
            yield rate(1, f"update_status: {name}", figures[name], of, (figures[name], figures[least]), 0.85)


# --- As the system before -------------------------------------------------------------------------------


@transaction.atomic
def change_and_count(job: CountedJob) -> None:
    status_from, job.status = job.status, OTHER[Status(job.status)]
    job.save()
    counts = dict(CountedJob.objects.values_list("status").annotate(count=Count("*")))
    CountedLog.objects.create(
        job=job,
        status_from=status_from,
        status_to=job.status,
        executions_active=sum(counts.get(status, 0) for status in ACTIVE),
        **{f"executions_{status.lower()}": counts.get(status, 0) for status in Status},
    )


def counted(database: Dataset, number: int, processes: int) -> Step:
    return one_by_one(own(CountedJob, database, number, processes), change_and_count)


def against_counting(plan: Plan) -> Iterator[Line]:
    """Row 2."""
    sizes = sorted({plan.sizes[0], *(size for size in plan.sizes if size <= 1_000_000)})
    sizes = [sizes[0], sizes[-1]]
    cells: dict[str, Measurable] = {}
    for size in sizes:
        database = build_dataset(size)
        copy_into([CountedJob])
        for count in AT_ONCE:
            name = f"{size:,} executions, {connections(count)}"
            cells[f"update_status: {name}"] = Processes(database, count, ours)
            cells[f"counting: {name}"] = Processes(database, count, counted)
    figures = in_rounds(cells, plan.rounds, plan.seconds, title="2 Counting")
    for (our_name, our_figures), (name, its) in pairwise(figures.items()):
        if name.startswith("counting"):
            bar = 50.0 if "1,000,000" in name else 1.0
            yield rate(2, our_name, our_figures)
            what = f"row update, GROUP BY, insert: {name.split(': ')[1]}"
            yield rate(2, what, its, OURS, (our_figures, its), bar)


# --- By other packages ----------------------------------------------------------------------------------


@transaction.atomic
def change_by_state_machine(job: StateMachineJob, by: User) -> None:
    transit = job.start if job.status == Status.READY else job.restart
    transit(by=by, description="bench")
    job.save()


@transaction.atomic
def save_changed(job: Any) -> None:
    job.status = OTHER[Status(job.status)]
    job.save()


def change_in_context(job: TrackedJob, by: User) -> None:
    with pghistory.context(user=str(by.pk), source="bench"):
        save_changed(job)


@transaction.atomic
def change_recorded(job: Any, by: User) -> None:
    job._history_user = by
    job._change_reason = "bench"
    save_changed(job)


def by_package(
    model: type[Model], do: Callable[[Any, User], object], database: Dataset, number: int, processes: int
) -> Step:
    by = User.objects.get(email=EMAIL)
    return one_by_one(own(model, database, number, processes), lambda job: do(job, by))


PGHISTORY_ALONE = "django-pghistory without context (keeps neither who nor why)"
PACKAGES: dict[str, tuple[type[Model], Callable[[Any, User], object]]] = {
    "django-fsm-2 and django-fsm-log": (StateMachineJob, change_by_state_machine),
    "django-pghistory": (TrackedJob, change_in_context),
    PGHISTORY_ALONE: (TrackedJob, lambda job, by: save_changed(job)),
    "django-simple-history": (RecordedJob, change_recorded),
}


def against_packages(plan: Plan) -> Iterator[Line]:
    """Row 3."""
    database = build_dataset(plan.common_size)
    copy_into({model for model, _ in PACKAGES.values()})
    cells: dict[str, Measurable] = {}
    for count in AT_ONCE:
        cells[f"update_status, {connections(count)}"] = Processes(database, count, ours)
        for name, (model, do) in PACKAGES.items():
            cells[f"{name}, {connections(count)}"] = Processes(
                database, count, partial(by_package, model, do)
            )
    use(database.name)
    figures = in_rounds(cells, plan.rounds, plan.seconds, title="3 Packages")
    for count in AT_ONCE:
        our_name = f"update_status, {connections(count)}"
        yield rate(3, f"{our_name}, {plan.common_size:,} executions", figures[our_name])
        for name in PACKAGES:
            its = figures[f"{name}, {connections(count)}"]
            bar = None if name == PGHISTORY_ALONE else 1.0  # which does less than the same work
            yield rate(3, f"{name}, {connections(count)}", its, OURS, (figures[our_name], its), bar)
