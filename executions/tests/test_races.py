"""Several connections change executions at once, and commit."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import transaction

from executions.models import Execution, ExecutionQuerySet, Script
from gef_project.accounts.models import User
from status.exceptions import ExecutionGone, IllegalTransition, LedgerBusy
from status.models import StatusLog
from status.states import Status
from status.tests.concurrency import errors_in, in_processes, race, shorten_deadlock_timeout
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_several_equal_reports_one_is_logged() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    before = StatusLog.objects.newest().id
    outcomes = race(6, lambda number: Execution.objects.get(pk=execution.pk).update_status(Status.FINISHED))
    assert errors_in(outcomes) == []
    assert outcomes.count(None) == 5
    assert StatusLog.objects.after(before).count() == 1


def test_of_several_different_ends_one_wins() -> None:
    execution = ExecutionFactory(status=Status.RUNNING)
    ends = [Status.FINISHED, Status.FAILED, Status.CANCELLED]
    before = StatusLog.objects.newest().id
    outcomes = race(3, lambda number: Execution.objects.get(pk=execution.pk).update_status(ends[number]))
    assert len(errors_in(outcomes, IllegalTransition)) == 2
    assert StatusLog.objects.after(before).count() == 1
    assert first_fault() is None


def test_a_run_is_claimed_by_one_worker() -> None:
    execution = ExecutionFactory()
    claim = Execution.objects.filter(pk=execution.pk, status=Status.PENDING)
    outcomes = race(6, lambda number: claim.all().update_status(Status.READY))
    assert sorted(outcomes) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("count", [2, 20])
def test_writers_on_few_or_many_executions_leave_a_correct_ledger(count: int) -> None:
    executions = ExecutionFactory.create_batch(count, script=ScriptFactory())

    def work(number: int) -> int:
        chance, changed = random.Random(number), 0
        for _ in range(60):
            execution = chance.choice(executions)
            with suppress(IllegalTransition):
                fresh = Execution.objects.get(pk=execution.pk)
                changed += fresh.update_status(chance.choice(list(Status))) is not None
        return changed

    before = StatusLog.objects.newest().id
    outcomes = race(8, work)
    assert errors_in(outcomes) == []
    assert StatusLog.objects.newest().id - before == sum(outcomes)
    assert first_fault() is None


class RolledBack(Exception):
    """Raised to roll a transaction back."""


def change_and_roll_back(execution: Execution) -> None:
    with suppress(RolledBack), transaction.atomic():
        assert execution.update_status(Status.RUNNING) is not None
        raise RolledBack


def some(chance: random.Random) -> ExecutionQuerySet:
    return Execution.objects.filter(pk__gte=uuid.UUID(int=chance.getrandbits(128)))


def create(chance: random.Random) -> None:
    script, user = Script.objects.get(), User.objects.get()
    Execution.objects.bulk_create(Execution(script=script, user=user) for _ in range(3))


def delete(chance: random.Random) -> None:
    some(chance).filter(status__in=[Status.FINISHED, Status.FAILED]).delete()


def change_many(chance: random.Random) -> None:
    some(chance).update_status(chance.choice(list(Status)))


def change_one(chance: random.Random) -> None:
    if execution := some(chance).first():
        execution.update_status(Status.RUNNING)


def roll_back(chance: random.Random) -> None:
    with transaction.atomic():
        create(chance)
        change_many(chance)
        raise RolledBack


def make_random_changes(number: int) -> None:
    shorten_deadlock_timeout()  # in a process, too
    chance = random.Random(number)
    for _ in range(20):
        with suppress(IllegalTransition, ExecutionGone, RolledBack, LedgerBusy):
            chance.choice([create, delete, change_many, change_one, roll_back])(chance)


@pytest.mark.parametrize("at_once", [race, in_processes])
def test_changes_of_every_kind_leave_a_correct_ledger(at_once: Callable[..., list[object]]) -> None:
    ExecutionFactory()
    assert errors_in(at_once(6, make_random_changes)) == []
    assert first_fault() is None


def test_a_rolled_back_transition_leaves_no_gap() -> None:
    execution = ExecutionFactory()
    before = StatusLog.objects.newest().id
    change_and_roll_back(execution)
    assert StatusLog.objects.newest().id == before
    execution.update_status(Status.READY)
    assert StatusLog.objects.newest().id == before + 1
    assert first_fault() is None


def test_a_rolled_back_savepoint_leaves_no_gap() -> None:
    execution = ExecutionFactory()
    before = StatusLog.objects.newest().id
    with transaction.atomic():
        execution.update_status(Status.READY)
        change_and_roll_back(execution)
        execution.update_status(Status.FAILED)
    rows = StatusLog.objects.after(before)
    assert [(row.id - before, row.status_from, row.status_to) for row in rows] == [
        (1, Status.PENDING, Status.READY),
        (2, Status.READY, Status.FAILED),
    ]
    assert first_fault() is None


def test_a_reader_that_remembers_the_last_id_sees_every_row_once_in_order() -> None:
    executions = ExecutionFactory.create_batch(6)
    start = StatusLog.objects.newest().id
    writing = threading.Event()
    seen: list[int] = []

    def read() -> None:
        last = start
        while True:
            over = writing.is_set()
            rows = list(StatusLog.objects.after(last).values_list("id", flat=True))
            seen.extend(rows)
            last = rows[-1] if rows else last
            if over:
                return
            time.sleep(0.001)

    def write() -> None:
        outcomes = race(
            6,
            lambda number: [
                Execution.objects.get(pk=executions[number].pk).update_status(status)
                for status in (Status.READY, Status.RUNNING, Status.READY, Status.RUNNING, Status.FINISHED)
            ],
        )
        writing.set()
        errors_in(outcomes)

    errors_in(race(2, lambda number: (read, write)[number]()))
    assert seen == list(range(start + 1, start + 31))
