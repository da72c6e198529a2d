"""Concurrent transactions of several changes: each is made as a whole, and none fails by a deadlock."""

import random
import threading
from contextlib import suppress

import pytest
from django.db import connections, transaction
from tenacity import stop_never, wait_random

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from gef_project.accounts.tests.factories import UserFactory
from gef_project.common.locking import retry_deadlocks
from gef_project.common.retrying import retry_patiently
from status.exceptions import ExecutionGone, IllegalTransition, LedgerBusy
from status.models import StatusLog
from status.states import Status
from status.tests.concurrency import errors_in, pids_waiting_for_ledger, race, uncommitted
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_retried_method_of_several_changes_is_retried_as_a_whole() -> None:
    pair = [ExecutionFactory(), ExecutionFactory()]
    both_hold_a_row = threading.Barrier(2)
    attempts: list[int] = []

    def work(number: int) -> None:
        one, other = (Execution.objects.get(pk=pair[(number + step) % 2].pk) for step in (0, 1))

        @retry_deadlocks
        @transaction.atomic
        def change_both() -> None:
            Execution.objects.filter(pk=one.pk).update(progress=1)
            attempts.append(number)
            if attempts.count(number) == 1:
                both_hold_a_row.wait()
            other.update_status(Status.RUNNING)
            one.update_status(Status.RUNNING)

        change_both()

    assert race(2, work) == [None, None]
    assert len(attempts) > 2
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.RUNNING}
    assert first_fault() is None


def test_transactions_in_opposite_orders_succeed_or_fail_as_busy() -> None:
    pairs = [ExecutionFactory(), ExecutionFactory()]
    first_row_locked = threading.Barrier(2)

    def work(number: int) -> None:
        one, other = (Execution.objects.get(pk=pairs[(number + step) % 2].pk) for step in (0, 1))
        with transaction.atomic():
            # Without the ledger's lock, so that both lock a row and then wait for the other one.
            Execution.objects.filter(pk=one.pk).update(progress=1)
            first_row_locked.wait()
            other.update_status(Status.RUNNING)
            one.update_status(Status.RUNNING)

    outcomes = race(2, work)
    assert len(errors_in(outcomes, LedgerBusy)) <= 1
    assert Execution.objects.filter(status=Status.RUNNING).count() == 2
    assert first_fault() is None


def test_a_transaction_that_is_retried_until_it_succeeds_is_made_once() -> None:
    executions = ExecutionFactory.create_batch(4, status=Status.READY)
    before = StatusLog.objects.newest().id

    @transaction.atomic
    def there_and_back(some: list[Execution]) -> None:
        for status in (Status.RUNNING, Status.READY):
            for execution in some:
                Execution.objects.get(pk=execution.pk).update_status(status)

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(6):
            retry_patiently(there_and_back).retry_with(wait=wait_random(max=0.1), stop=stop_never)(
                chance.sample(executions, 3)
            )

    assert errors_in(race(4, work)) == []
    assert StatusLog.objects.newest().id == before + 4 * 6 * 3 * 2
    assert first_fault() is None


def test_concurrent_cascades_and_transitions_leave_a_correct_ledger() -> None:
    user, script = UserFactory(), ScriptFactory()
    ScriptFactory(user=user)
    for _ in range(10):
        ExecutionFactory(user=user)
        ExecutionFactory(script=script)
        ExecutionFactory(user=user, script=script)
    executions = list(Execution.objects.all())

    def change_each() -> None:
        for execution in executions:
            with suppress(ExecutionGone, IllegalTransition):
                execution.update_status(Status.RUNNING)

    def change_all() -> None:
        for status in (Status.READY, Status.RUNNING, Status.FAILED):
            Execution.objects.update_status(status)

    works = [change_each, change_all, script.delete, user.delete]
    assert errors_in(race(4, lambda number: works[number]())) == []
    assert not Execution.objects.exists()
    assert first_fault() is None


def test_cascades_that_deadlock_are_both_made() -> None:
    """Deleting a user locks the ledger after the user's scripts; deleting a script locks it before."""
    maker = UserFactory()
    script = ScriptFactory(user=maker)
    ExecutionFactory(script=script)
    ExecutionFactory(user=maker)
    holder = ExecutionFactory()
    with uncommitted(lambda: holder.update_status(Status.RUNNING)) as end:
        works = [script.delete, maker.delete, end]

        def work(number: int) -> None:
            eventually(lambda: len(pids_waiting_for_ledger()) == number)
            works[number]()

        assert errors_in(race(3, work)) == []
    assert list(Execution.objects.all()) == [holder]
    assert first_fault() is None


def test_requests_that_are_one_transaction_each_leave_a_correct_ledger(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    executions = ExecutionFactory.create_batch(3, user=owner)

    def work(number: int) -> set[int]:
        chance, answers = random.Random(number), set()
        for _ in range(8):
            execution = chance.choice(executions)
            report = {
                "status": chance.choice(["READY", "RUNNING", "RUNNING", "FINISHED"]),
                "progress": number,
            }
            url = f"/api/v1/execution/{execution.pk}"
            answers.add(client_of(execution).patch(url, report).status_code)
        return answers

    assert set().union(*race(4, work)) == {200, 409}
    assert first_fault() is None
