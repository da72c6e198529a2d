"""Pruning deletes the oldest rows, and the rest is still a correct ledger."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from status.models import StatusLog
from status.retention import prune
from status.states import Status
from status.tests.ledger_builders import execute_without_triggers
from status.verification import first_fault

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def history(db: None) -> list[int]:
    """The ids of all rows; the first five are a year old."""
    for status in (Status.RUNNING, Status.FINISHED, Status.CANCELLED):
        ExecutionFactory(status=status)
    ids = list(StatusLog.objects.order_by("id").values_list("id", flat=True))
    execute_without_triggers(
        "UPDATE status_log SET timestamp = timestamp - interval '1 year' WHERE id <= %s", [ids[4]]
    )
    return ids


def kept() -> list[int]:
    return list(StatusLog.objects.order_by("id").values_list("id", flat=True))


def test_rows_from_before_that_time_are_deleted(history: list[int]) -> None:
    assert sum(prune(timezone.now() - timedelta(days=30))) == 5
    assert kept() == history[5:]
    assert first_fault() is None


def test_batches_are_deleted_oldest_first(history: list[int]) -> None:
    batches = prune(timezone.now() - timedelta(days=30), batch=2)
    assert next(batches) == 2
    assert kept() == history[2:]
    assert list(batches) == [2, 1]


def test_the_newest_row_always_stays(history: list[int]) -> None:
    assert sum(prune(timezone.now() + timedelta(days=1))) == len(history) - 1
    assert kept() == history[-1:]
    assert list(prune(timezone.now() + timedelta(days=1))) == []


def test_executions_whose_rows_were_pruned_can_change(history: list[int]) -> None:
    list(prune(timezone.now() + timedelta(days=1)))
    assert Execution.objects.get(status=Status.RUNNING).update_status(Status.FAILED) is not None
    Execution.objects.filter(status=Status.CANCELLED).delete()
    assert first_fault() is None


@pytest.mark.parametrize("rows", ["id = {1}", "id IN ({0}, {2})", "id >= {0}", "id = {8}"])
def test_even_pruning_can_delete_only_the_oldest_rows(history: list[int], rows: str) -> None:
    padded = [*history, *[history[-1]] * 9]
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('status_log.pruning', 'on', true)")
        cursor.execute(f"DELETE FROM status_log WHERE {rows.format(*padded)}")
    assert kept() == history


def test_the_command_prunes(history: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prune_status_log", "--older-than", "30")
    assert capsys.readouterr().out == "5 rows deleted.\n"


@pytest.mark.parametrize("age", ["0", "-1", "soon", "nan"])
def test_the_command_refuses_an_invalid_age(age: str, history: list[int]) -> None:
    with pytest.raises(CommandError, match="older-than"):
        call_command("prune_status_log", "--older-than", age)
    assert kept() == history


def test_the_check_reports_that_every_invariant_holds(
    history: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check_status_log")
    expected = f"{len(history)} rows, from {history[0]} to {history[-1]}: every invariant holds.\n"
    assert capsys.readouterr().out == expected


def test_the_check_can_start_at_a_later_row(history: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_status_log", "--from", str(history[-1]))
    call_command("check_status_log", "--from", str(history[-1] + 1))
    one, none = capsys.readouterr().out.splitlines()
    assert one == f"1 rows, from {history[-1]} to {history[-1]}: every invariant holds."
    assert none == "No rows: every invariant holds."


def delete_an_execution_without_a_log_row() -> None:
    execute_without_triggers("DELETE FROM executions_execution WHERE status = 'RUNNING'")


def test_the_check_fails_and_names_the_broken_row(history: list[int]) -> None:
    delete_an_execution_without_a_log_row()
    with pytest.raises(
        CommandError, match=f"row {history[-1]}: executions_running is 1 but should be 0"
    ) as failure:
        call_command("check_status_log")
    assert failure.value.returncode == 1


def test_a_repair_is_recorded_with_who_and_why(history: list[int], admin: User) -> None:
    delete_an_execution_without_a_log_row()
    call_command("check_status_log", "--repair", "--actor", admin.email, "--reason", "restored a backup")
    row = StatusLog.objects.newest()
    assert (row.id, row.source, row.actor, row.reason) == (
        history[-1] + 1,
        "repair",
        admin,
        "restored a backup",
    )


@pytest.mark.parametrize(
    "who", [[], ["--actor", "admin@example.org"], ["--actor", "nobody@x.org", "--reason", "y"]]
)
def test_a_repair_without_who_and_why_is_refused(history: list[int], admin: User, who: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("check_status_log", "--repair", *who)
    assert kept() == history
