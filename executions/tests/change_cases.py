"""Every kind of change that the public methods make, as cases for parametrized tests."""

from collections.abc import Callable
from typing import Any

from executions.models import Execution, ExecutionLog
from gef_project.common.attribution import attributed_to
from status.models import StatusLog
from status.states import Status

Change = Callable[[Execution], None]  # the execution is PENDING and the only one of its script


def transition(execution: Execution) -> None:
    assert execution.update_status(Status.RUNNING, progress=5, source="shell") is not None


def transition_of_a_stale_instance(execution: Execution) -> None:
    """By an instance that still has READY."""
    execution.status = Status.READY
    assert execution.update_status(Status.RUNNING) is not None


def end(execution: Execution) -> None:
    execution.accept_report("FINISHED", results={"rows": 3}, source="api")


def transition_many(execution: Execution) -> None:
    assert execution.script.executions.update_status(Status.CANCELLED) == 1


def claim(execution: Execution) -> None:
    assert execution.claim("worker")


def create_many(execution: Execution) -> None:
    with attributed_to(execution.user, "shell", "three at once"):
        Execution.objects.bulk_create(
            Execution(user=execution.user, script=execution.script) for _ in range(3)
        )


def run(execution: Execution) -> None:
    execution.script.run(execution.user)


def delete(execution: Execution) -> None:
    execution.delete()


def delete_many(execution: Execution) -> None:
    assert execution.script.executions.all().delete()[0] == 1


def delete_by_cascade(execution: Execution) -> None:
    execution.script.delete()


CHANGES = [
    transition,
    transition_of_a_stale_instance,
    end,
    transition_many,
    claim,
    create_many,
    run,
    delete,
    delete_many,
    delete_by_cascade,
]


def stored_rows() -> list[Any]:
    """All rows that a change could leave behind."""
    tables: list[Any] = [Execution, StatusLog, ExecutionLog]
    return [list(table.objects.order_by("pk").values()) for table in tables]
