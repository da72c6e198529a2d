"""``manage.py force_status``: it is recorded, and the ledger stays correct."""

import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.states import ACTIVE, TERMINAL, Status
from status.tests.concurrency import uncommitted
from status.tests.ledger_builders import execute_without_triggers
from status.verification import first_fault

from .admin_pages import page
from .change_cases import stored_rows
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ended(owner: User) -> Execution:
    execution = ExecutionFactory(user=owner, status=Status.RUNNING)
    execution.update_status(Status.FINISHED, progress=90, results={"rows": 3})
    return execution


def force(execution: Execution | uuid.UUID | str, status: str, *options: str) -> str:
    """Run the command without its question."""
    who = ["--actor", "admin@example.org", "--reason", "wrong input", "--no-input"]
    output = StringIO()
    call_command("force_status", str(execution), status, *who, *options, stdout=output)
    return output.getvalue()


def is_protected(execution: Execution) -> bool:
    try:
        with transaction.atomic():
            Execution.objects.filter(pk=execution.pk).update(status=Status.PENDING, end_date=None)
    except IntegrityError:
        return True
    return False


@pytest.fixture(autouse=True)
def operator(admin: User) -> User:
    return admin


def test_an_ended_execution_gets_another_end(ended: Execution, admin: User) -> None:
    before, row = Execution.objects.values().get(), StatusLog.objects.newest()
    said = force(ended, "FAILED")
    assert Execution.objects.values().get() == before | {"status": "FAILED", "outcome": "FAILED"}
    log = StatusLog.objects.newest()
    assert (log.id, log.execution_id, log.actor) == (row.id + 1, ended.pk, admin)
    assert (log.status_from, log.status_to) == ("FINISHED", "FAILED")
    assert (log.source, log.executions_finished, log.executions_failed) == ("repair", 0, 1)
    assert log.reason == "wrong input"
    assert f"went from FINISHED to FAILED; row {log.id} of the status log records it.\n" in said
    assert first_fault() is None
    assert is_protected(ended)


@pytest.mark.parametrize("status_to", Status)
@pytest.mark.parametrize("status_from", Status)
def test_any_status_can_become_any_other(status_from: Status, status_to: Status) -> None:
    execution = ExecutionFactory(status=status_from)
    force(execution, status_to)
    execution.refresh_from_db()
    assert execution.status == status_to
    assert (execution.end_date is not None) == (status_to in TERMINAL)
    assert first_fault() is None


@pytest.mark.parametrize("status", [Status.PENDING, Status.READY, Status.RUNNING])
def test_the_execution_continues_from_there(ended: Execution, status: Status) -> None:
    force(ended, status)
    log = ended.update_status(Status.CANCELLED)
    assert log is not None
    assert log.status_from == status
    force(ended, "RUNNING")
    assert Execution.objects.filter(pk=ended.pk).update_status(Status.FAILED) == 1
    force(ended, "FINISHED")
    ended.delete()
    assert first_fault() is None


def test_a_status_that_was_changed_without_a_log_row_can_be_put_right(ended: Execution, admin: User) -> None:
    execute_without_triggers("UPDATE executions_execution SET status = 'RUNNING', end_date = NULL")
    assert first_fault() is not None
    StatusLog.objects.append_snapshot(actor=admin, source="repair", reason="found RUNNING")
    force(ended, "FINISHED")
    assert first_fault() is None


def test_it_says_when_the_counts_are_not_true(ended: Execution) -> None:
    execute_without_triggers("UPDATE executions_execution SET status = 'RUNNING', end_date = NULL")
    assert "executions_running is 0 but should be 1" in force(ended, "FINISHED")


def test_the_status_that_it_has_changes_nothing(ended: Execution) -> None:
    before = stored_rows()
    assert force(ended, "finished") == f"Execution {ended.pk} is FINISHED already; nothing was changed.\n"
    assert stored_rows() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{id}", "DONE"], "invalid choice"),
        (["{other}", "FAILED"], "there is no execution"),
        (["not-an-id", "FAILED"], "there is no execution not-an-id"),
        (["{id}", "FAILED", "--actor", "nobody@example.org"], "no user has the email nobody@example.org"),
        (["{id}", "FAILED", "--reason", "  "], "say why"),
    ],
)
def test_invalid_arguments_are_refused(ended: Execution, options: list[str], message: str) -> None:
    before = stored_rows()
    with pytest.raises(CommandError, match=message):
        force(*(option.format(id=ended.pk, other=uuid.uuid4()) for option in options))
    assert stored_rows() == before


@pytest.mark.parametrize("missing", ["--actor", "--reason"])
def test_actor_and_reason_are_required(ended: Execution, missing: str) -> None:
    options = {"--actor": "admin@example.org", "--reason": "wrong input"}
    options.pop(missing)
    with pytest.raises(CommandError, match=missing):
        call_command("force_status", str(ended.pk), "FAILED", *sum(options.items(), ()), "--no-input")


def ask(execution: Execution, answer: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    output = StringIO()
    who = ["--actor", "admin@example.org", "--reason", "wrong input"]
    call_command("force_status", str(execution.pk), "FAILED", *who, stdout=output)
    return output.getvalue()


def test_it_says_what_it_will_do_and_asks(ended: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(ended, "yes\n", monkeypatch)
    assert "FINISHED → FAILED" in said
    assert "admin@example.org, because: wrong input" in said
    ended.refresh_from_db()
    assert ended.status == Status.FAILED


@pytest.mark.parametrize("answer", ["no\n", "\n", ""])
def test_without_a_yes_nothing_changes(
    ended: Execution, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_rows()
    with pytest.raises(CommandError, match=r"Nothing was changed\."):
        ask(ended, answer, monkeypatch)
    assert stored_rows() == before


def test_a_transition_while_it_asks_is_not_undone(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: execution.update_status(Status.RUNNING) and "yes")
    with pytest.raises(CommandError, match="is RUNNING by now, no longer PENDING"):
        ask(execution, "", monkeypatch)
    execution.refresh_from_db()
    assert execution.status == Status.RUNNING


def test_it_waits_for_a_writer_for_a_bounded_time(
    ended: Execution, execution: Execution, short_lock_timeout: None
) -> None:
    with (
        uncommitted(lambda: execution.update_status(Status.RUNNING)),
        pytest.raises(CommandError, match=r"busy; try again\..* Nothing was changed"),
    ):
        force(ended, "FAILED")
    ended.refresh_from_db()
    assert ended.status == Status.FINISHED
    assert is_protected(ended)


def test_what_fails_half_way_leaves_the_triggers_on(ended: Execution) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE status_log ADD CONSTRAINT broken CHECK (source <> 'repair') NOT VALID")
    try:
        with pytest.raises(CommandError, match="broken"):
            force(ended, "FAILED")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE status_log DROP CONSTRAINT broken")
    ended.refresh_from_db()
    assert ended.status == Status.FINISHED
    assert is_protected(ended)


def test_the_history_says_that_it_was_forced(ended: Execution, admin: User) -> None:
    force(ended, "RUNNING")
    force(ExecutionFactory(status=Status.FAILED), "RUNNING")
    ended.update_status(Status.FAILED)
    body = client_of(ended).get(f"/api/v1/execution/{ended.pk}/history").json()
    transitions = [(entry["status_from"], entry["status_to"], entry["source"]) for entry in body["data"]]
    assert transitions == [
        (None, "PENDING", ""),
        ("PENDING", "RUNNING", ""),
        ("RUNNING", "FINISHED", ""),
        ("FINISHED", "RUNNING", "repair"),
        ("RUNNING", "FAILED", ""),
    ]
    forced = body["data"][3]
    assert (forced["actor"], forced["reason"]) == (str(admin.pk), "wrong input")
    assert [entry["seconds"] is None for entry in body["data"]] == [False] * 4 + [True]


@pytest.mark.parametrize("status", [*sorted(ACTIVE), Status.CANCELLED])
def test_the_history_ends_where_the_execution_is(ended: Execution, status: Status) -> None:
    force(ended, status)
    last = client_of(ended).get(f"/api/v1/execution/{ended.pk}/history").json()["data"][-1]
    assert last["status_to"] == status
    assert (last["seconds"] is None) == (status in TERMINAL)


def test_the_admin_shows_that_it_was_forced(ended: Execution, client: Client, admin: User) -> None:
    force(ended, "FAILED")
    client.force_login(admin)
    text = client.get(page(ended)).content.decode()
    assert "wrong input" in text
