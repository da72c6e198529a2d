"""Which working directories are removed, and which are kept."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from executions import directories, tasks
from executions.models import Execution
from executions.process import directory_of
from status.states import Status

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


def ended(status: Status, days_ago: float) -> Execution:
    """An execution with a directory that holds a file."""
    execution = ExecutionFactory(status=status)
    if execution.has_ended:
        Execution.objects.filter(pk=execution.pk).update(end_date=timezone.now() - timedelta(days=days_ago))
    make_directory(execution.pk)
    return execution


def make_directory(name: object) -> None:
    directory_of(name).mkdir(parents=True)
    (directory_of(name) / "params.json").write_text("{}")


@pytest.mark.parametrize("status", [Status.FINISHED, Status.CANCELLED])
def test_those_of_successful_and_cancelled_executions_are_kept_for_a_day(status: Status) -> None:
    old, new = ended(status, 1.1), ended(status, 0.9)
    assert directories.remove_failed() == 0
    assert directories.remove_finished() == 1
    assert (directory_of(old.pk).exists(), directory_of(new.pk).exists()) == (False, True)


def test_those_of_failed_executions_are_kept_for_two_weeks() -> None:
    old, new = ended(Status.FAILED, 14.1), ended(Status.FAILED, 13.9)
    assert directories.remove_finished() == 0
    assert directories.remove_failed() == 1
    assert (directory_of(old.pk).exists(), directory_of(new.pk).exists()) == (False, True)


@pytest.mark.parametrize("status", [Status.PENDING, Status.READY, Status.RUNNING])
def test_those_of_executions_that_go_on_are_kept(status: Status) -> None:
    execution = ended(status, 0)
    assert (directories.remove_finished(), directories.remove_failed()) == (0, 0)
    assert directory_of(execution.pk).exists()


def test_that_of_a_deleted_execution_is_removed() -> None:
    make_directory(gone := uuid4())
    assert directories.remove_finished() == 1
    assert not directory_of(gone).exists()


def test_a_directory_of_somebody_else_is_kept() -> None:
    make_directory("notes")
    assert (directories.remove_finished(), directories.remove_failed()) == (0, 0)
    assert directory_of("notes").exists()


def test_more_than_one_batch_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "AT_ONCE", 2)
    for _ in range(5):
        make_directory(uuid4())
    assert directories.remove_finished() == 5


def test_the_tasks_need_no_directory_to_be_there() -> None:
    tasks.clean_up_working_directories()
    tasks.clean_up_failed_working_directories()
