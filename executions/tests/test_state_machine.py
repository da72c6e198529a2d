"""Random calls of the Python API, after each of which the ledger must equal the reference model."""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from status.exceptions import StatusChangeError
from status.models import StatusLog
from status.verification import first_fault

from .reference_model import STATUSES, ReferenceModel

pytestmark = pytest.mark.django_db

some_status = st.sampled_from(STATUSES)
any_word = some_status | st.just("SUBMITTED")
some_progress = st.none() | st.integers(0, 100)
some_results = st.none() | st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2)
MAX_SAVEPOINTS = 3


def outcome_of(change: Callable[[], StatusLog | None]) -> str:
    try:
        return "changed" if change() else "stored"
    except StatusChangeError as refusal:
        return type(refusal).__name__


class PythonApi(RuleBasedStateMachine):
    """``instances`` may be stale: others may have changed the same executions since they were read."""

    instances = Bundle("instances")

    def __init__(self, script: Script, user: User) -> None:
        super().__init__()
        self.script, self.user = script, user
        self.model = ReferenceModel()
        self.atomics: list[transaction.Atomic] = []
        self.saved: list[ReferenceModel] = []
        self.begin()

    @rule()
    @precondition(lambda self: len(self.saved) <= MAX_SAVEPOINTS)
    def begin(self) -> None:
        self.atomics.append(transaction.atomic())
        self.atomics[-1].__enter__()
        self.saved.append(self.model.copy())

    @rule()
    @precondition(lambda self: len(self.saved) > 1)
    def commit(self) -> None:
        self.atomics.pop().__exit__(None, None, None)
        self.saved.pop()

    @rule()
    @precondition(lambda self: len(self.saved) > 1)
    def roll_back(self) -> None:
        transaction.set_rollback(True)
        self.atomics.pop().__exit__(None, None, None)
        self.model = self.saved.pop()

    @rule(target=instances)
    def create(self) -> Execution:
        execution = Execution.objects.create(script=self.script, user=self.user)
        self.model.create([execution.pk])
        return execution

    @rule(target=instances)
    def run(self) -> Execution:
        execution = self.script.run(self.user, source="shell")
        self.model.create([execution.pk])
        return execution

    @rule(target=instances, count=st.integers(2, 4))
    def bulk_create(self, count: int) -> Any:
        new = [Execution(script=self.script, user=self.user) for _ in range(count)]
        with attributed_to(self.user, "shell", "several at once"):
            Execution.objects.bulk_create(new)
        self.model.create([execution.pk for execution in new])
        return multiple(*new)

    @rule(target=instances, instance=instances)
    def look_again(self, instance: Execution) -> Any:
        return Execution.objects.filter(pk=instance.pk).first() or multiple()

    @rule(instance=instances, status=any_word, progress=some_progress, results=some_results)
    def update_status(self, instance: Execution, status: str, progress: int | None, results: Any) -> None:
        expected = self.model.update_status(instance.pk, status, progress, results)
        update = partial(instance.update_status, status, progress=progress, results=results, source="shell")
        assert outcome_of(update) == expected

    @rule(instance=instances)
    def cancel(self, instance: Execution) -> None:
        expected = self.model.update_status(instance.pk, "CANCELLED")
        assert outcome_of(partial(instance.cancel, actor=self.user, reason="no need")) == expected

    @rule(statuses=st.sets(some_status, min_size=1), status=some_status, progress=some_progress)
    def update_many(self, statuses: set[str], status: str, progress: int | None) -> None:
        changed = Execution.objects.filter(status__in=statuses).update_status(status, progress=progress)
        assert changed == self.model.update_many(statuses, status, progress)

    @rule(instance=instances, progress=st.integers(0, 100))
    def report(self, instance: Execution, progress: int) -> None:
        assert instance.report(progress=progress) == self.model.report(instance.pk, progress)

    @rule(instance=instances, status=st.none() | any_word, progress=st.integers(0, 100), results=some_results)
    def accept_report(self, instance: Execution, status: str | None, progress: int, results: Any) -> None:
        expected = self.model.accept_report(instance.pk, status, progress, results)
        accept = partial(instance.accept_report, status, progress=progress, results=results)
        assert outcome_of(accept) == expected.replace("changed", "stored")

    @rule(instance=instances)
    def claim(self, instance: Execution) -> None:
        known = self.model.executions.get(instance.pk)
        expected = known is not None and known.status == "PENDING"
        assert instance.claim("worker") == expected
        if expected:
            self.model.update_status(instance.pk, "READY")

    @rule(instance=instances)
    def delete(self, instance: Execution) -> None:
        self.model.delete([instance.pk])
        copy(instance).delete()

    @rule(statuses=st.sets(some_status, min_size=1, max_size=3))
    def delete_many(self, statuses: set[str]) -> None:
        self.model.delete(pk for pk, known in self.model.executions.items() if known.status in statuses)
        Execution.objects.filter(status__in=statuses).delete()

    @rule()
    def snapshot(self) -> None:
        self.model.snapshot()
        StatusLog.objects.append_snapshot(source="shell")

    @invariant()
    def the_ledger_equals_the_model(self) -> None:
        self.model.check()

    def teardown(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            assert first_fault() is None
        finally:
            while self.saved:
                self.roll_back()


def test_the_python_api(script: Script, owner: User) -> None:
    machine: Any = partial(PythonApi, script, owner)
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=30))
