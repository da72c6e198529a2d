"""A process that changes executions through the public methods until it is killed."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, connections, transaction

from executions.models import Execution, ExecutionQuerySet, Script
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from status.exceptions import ExecutionGone, IllegalTransition, LedgerBusy
from status.states import TERMINAL, Status, in_order

from .journal import Journal, Row, creation_of, row_of

SCRIPT = "changed-by-writers"  # the slug of the script whose executions the writers change
POPULATION = 60  # executions; create() adds up to 5 more for a while
STATUSES: list[Status] = [*Status, *[Status.READY, Status.RUNNING] * 6]  # terminal statuses are rarer

Change = Callable[[random.Random, str], list[Row]]


class RolledBack(Exception):
    """Raised to roll a transaction back."""


def write(path: Path) -> None:
    """Make random changes, each with a reason of its own, and record each once it is acknowledged."""
    chance = random.Random(os.getpid())
    journal = Journal(path)
    while True:
        reason = str(uuid4())
        try:
            change = create if executions().count() < POPULATION else chance.choice(CHANGES)
            rows = change(chance, reason)
        except (IllegalTransition, ExecutionGone, LedgerBusy, RolledBack):
            continue
        except (OperationalError, InterfaceError):
            journal.add(reason, [], acknowledged=False)
            connections.close_all()
            time.sleep(0.1)
        else:
            journal.add(reason, rows)


def executions() -> ExecutionQuerySet:
    return Execution.objects.filter(script__slug=SCRIPT)


def some(chance: random.Random, count: int) -> ExecutionQuerySet:
    """Up to ``count`` executions, chosen at random."""
    start = UUID(int=chance.getrandbits(128))
    ids = executions().filter(pk__gte=start).order_by("pk").values_list("pk", flat=True)[:count]
    return executions().filter(pk__in=list(ids))


def create(chance: random.Random, reason: str) -> list[Row]:
    script, user = Script.objects.get(slug=SCRIPT), User.objects.get()
    new = [Execution(script=script, user=user) for _ in range(chance.randint(1, 5))]
    with attributed_to(user, "kill", reason):
        Execution.objects.bulk_create(new)
    return [creation_of(execution) for execution in new]


def change_status(chance: random.Random, reason: str) -> list[Row]:
    return [
        row_of(log)
        for execution in some(chance, 1)
        if (log := execution.update_status(any_status(chance), source="kill", reason=reason))
    ]


def change_status_of_many(chance: random.Random, reason: str) -> list[Row]:
    status = any_status(chance)
    count = some(chance, 10).update_status(status, source="kill", reason=reason)
    return [{"status_to": status}] * count


def change_status_twice(chance: random.Random, reason: str) -> list[Row]:
    """One transaction of several transitions, one of which is rolled back to a savepoint."""
    with transaction.atomic():
        rows = change_status(chance, reason)
        try:
            with transaction.atomic():
                change_status(chance, reason)
                raise RolledBack
        except (IllegalTransition, RolledBack):
            pass
        return rows + change_status(chance, reason)


def delete(chance: random.Random, reason: str) -> list[Row]:
    ended = some(chance, 5).filter(status__in=in_order(TERMINAL))
    with attributed_to(None, "kill", reason):
        deleted = ended.delete()[1].get("executions.Execution", 0)
    return [{"status_to": None}] * deleted


def roll_back(chance: random.Random, reason: str) -> list[Row]:
    with transaction.atomic():
        change_status_of_many(chance, reason)
        create(chance, reason)
        raise RolledBack


def any_status(chance: random.Random) -> Status:
    return chance.choice(STATUSES)


CHANGES: list[Change] = [
    *[change_status] * 8,
    *[change_status_of_many] * 2,
    change_status_twice,
    delete,
    roll_back,
]
