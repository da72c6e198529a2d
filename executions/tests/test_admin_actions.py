"""What the admin does to executions: it cancels and deletes them."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from executions.admin import bulk
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from gef_project.common.admin import cascades
from status.models import StatusLog
from status.sql import LEDGER_LOCK
from status.states import Status
from status.verification import first_fault

from .admin_pages import LIST, SCRIPTS, as_staff, last_transition, messages, page, run_action
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


def statuses(*executions: Execution) -> list[str]:
    return [Execution.objects.get(pk=execution.pk).status for execution in executions]


# --- Cancelling ----------------------------------------------------------------------------------------


def test_the_action_asks_and_then_cancels_exactly_what_it_said(client: Client, execution: Execution) -> None:
    user = as_staff(client, "view_execution", "cancel_execution")
    ended = ExecutionFactory(status=Status.FINISHED)
    other = ExecutionFactory()
    question = run_action(client, "cancel_selected", execution, ended)
    assert "Cancel 1 execution?" in question.text
    assert "1 of those selected have ended" in question.text
    assert statuses(execution, other) == [Status.PENDING, Status.PENDING]
    response = run_action(client, "cancel_selected", execution, ended, confirm="yes", reason="not needed")
    assert messages(response) == ["Cancelled: 1."]
    assert last_transition() == (Status.PENDING, Status.CANCELLED, user, "admin")
    assert StatusLog.objects.newest().reason == "not needed"
    assert statuses(ended, other) == [Status.FINISHED, Status.PENDING]


def test_the_button_asks_and_then_cancels(client: Client, execution: Execution) -> None:
    user = as_staff(client, "view_execution", "cancel_execution")
    assert page(execution, "cancel") in client.get(page(execution)).text
    assert "Cancel 1 execution?" in client.get(page(execution, "cancel")).text
    assert statuses(execution) == [Status.PENDING]
    response = client.post(page(execution, "cancel"), {"confirm": "yes", "reason": "a \0 reason"})
    assert response["Location"] == page(execution)
    assert last_transition() == (Status.PENDING, Status.CANCELLED, user, "admin")
    assert StatusLog.objects.newest().reason == "a  reason"
    assert page(execution, "cancel") not in client.get(page(execution)).text


def test_the_button_is_for_those_who_may(client: Client, execution: Execution) -> None:
    as_staff(client, "view_execution")
    assert page(execution, "cancel") not in client.get(page(execution)).text


def test_cancelling_needs_the_token_of_the_form(admin: User, execution: Execution) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    assert client.post(page(execution, "cancel"), {"confirm": "yes"}).status_code == 403


def test_cancelling_what_has_ended_changes_nothing(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.FINISHED)
    response = superuser.post(page(execution, "cancel"), {"confirm": "yes"})
    assert messages(response) == ["Cancelled: 0."]
    assert statuses(execution) == [Status.FINISHED]


@pytest.mark.parametrize("rows", [[], ["x"], ["\0"]])
def test_an_action_on_nothing_says_so(superuser: Client, rows: list[str]) -> None:
    response = superuser.post(LIST, {"action": "cancel_selected", "_selected_action": rows})
    assert messages(response) == ["Select at least one execution."]


@pytest.mark.parametrize("action", ["", "publish", "\0"])
def test_an_unknown_action_is_refused(superuser: Client, execution: Execution, action: str) -> None:
    assert run_action(superuser, action, execution).status_code == 403


# --- All that match ------------------------------------------------------------------------------------


def all_that_match(client: Client, action: str = "cancel_selected", query: str = "", **fields: Any) -> Any:
    return client.post(LIST + query, {"action": action, "match": "1", **fields})


def many(script: Script, number: int) -> None:
    user = UserFactory()
    Execution.objects.bulk_create([Execution(script=script, user=user) for _ in range(number)])


def test_all_that_match_are_those_of_the_filter_up_to_now(superuser: Client, execution: Execution) -> None:
    other = ExecutionFactory()
    question = all_that_match(superuser, query="?script=sums")
    assert "Cancel 1 execution?" in question.text
    later = ExecutionFactory(script=execution.script)
    response = superuser.post(
        LIST + question.context["url"], {"action": "cancel_selected", "match": "1", "confirm": "yes"}
    )
    assert messages(response) == ["Cancelled: 1."]
    assert statuses(execution, other, later) == [Status.CANCELLED, Status.PENDING, Status.PENDING]


def test_above_a_hundred_a_word_has_to_be_typed(superuser: Client, script: Script) -> None:
    many(script, 101)
    question = all_that_match(superuser)
    assert "Type “cancel” to confirm" in question.text
    for word in ("", "delete"):
        assert all_that_match(superuser, confirm="yes", word=word).status_code == 200
    assert not Execution.objects.filter(status=Status.CANCELLED).exists()
    assert messages(all_that_match(superuser, confirm="yes", word="Cancel ")) == ["Cancelled: 101."]


@pytest.mark.parametrize("action", ["cancel", "delete"])
def test_many_are_done_in_batches_with_a_button_for_the_next(
    superuser: Client, script: Script, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 110)
    many(script, 250)
    ExecutionFactory(status=Status.FINISHED, script=script)
    question = all_that_match(superuser, f"{action}_selected", "?script=sums")
    assert question.context["title"] == f"{action.capitalize()} at least 110 executions?"
    fields = {"confirm": "yes", "word": action, "reason": "all of them"}
    for _ in range(2):
        answer = all_that_match(superuser, f"{action}_selected", question.context["url"], **fields)
        assert "there are more" in answer.text
        fields |= {"cursor": answer.context["cursor"], "done": str(answer.context["done"])}
    end = all_that_match(superuser, f"{action}_selected", question.context["url"], **fields)
    done = {"cancel": "Cancelled: 250.", "delete": "Deleted: 251."}[action]
    assert messages(end) == [done]
    assert StatusLog.objects.newest().reason == "all of them"
    assert first_fault() is None


# --- Deleting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bulk", [True, False])
def test_a_deletion_asks_and_is_attributed(client: Client, execution: Execution, bulk: bool) -> None:
    user = as_staff(client, "view_execution", "delete_execution")

    def delete(**fields: str) -> Any:
        if bulk:
            return run_action(client, "delete_selected", execution, **fields)
        return client.post(page(execution, "delete"), fields)

    assert "Delete 1 execution?" in delete().text
    assert Execution.objects.exists()
    delete(confirm="yes", reason="a test")
    assert last_transition() == (Status.PENDING, None, user, "admin")
    assert StatusLog.objects.newest().reason == "a test"
    assert first_fault() is None


@pytest.mark.parametrize("bulk", [True, False])
def test_deleting_a_script_says_what_goes_with_it_and_is_attributed(
    superuser: Client, admin: User, execution: Execution, bulk: bool
) -> None:
    script = execution.script
    ExecutionFactory(script=script)
    execution.logs.create(text="a line")

    def delete(**fields: str) -> Any:
        if bulk:
            return run_action(superuser, "delete_selected", script, url=SCRIPTS, **fields)
        url = reverse("admin:executions_script_delete", args=[script.pk])
        return superuser.post(url, fields) if fields else superuser.get(url)

    html = delete().text
    for text in ("<li>Executions: 2</li>", "<li>Execution logs: 1</li>", "The status log keeps the rows"):
        assert text in html
    delete(post="yes")
    assert not Script.objects.exists()
    assert last_transition() == (Status.PENDING, None, admin, "admin")
    assert first_fault() is None


@pytest.mark.parametrize("bulk", [True, False])
def test_who_may_not_delete_executions_cannot_delete_their_script(
    client: Client, execution: Execution, bulk: bool
) -> None:
    as_staff(client, "view_script", "delete_script")
    if bulk:
        run_action(client, "delete_selected", execution.script, url=SCRIPTS, post="yes")
    else:
        url = reverse("admin:executions_script_delete", args=[execution.script_id])
        assert client.post(url, {"post": "yes"}).status_code == 403
    assert Execution.objects.exists()


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.django_db(transaction=True)
def test_a_script_with_many_runs_is_deleted_bit_by_bit(
    superuser: Client, execution: Execution, monkeypatch: pytest.MonkeyPatch, bulk: bool
) -> None:
    for _ in range(4):
        ExecutionFactory(script=execution.script).log("a line", "INFO")
    monkeypatch.setattr(cascades, "COUNTED", 3)
    monkeypatch.setattr(cascades, "BATCH", 2)
    monkeypatch.setattr(cascades, "TIME", 0)
    url = reverse("admin:executions_script_delete", args=[execution.script_id])

    def delete(**fields: str) -> Any:
        if bulk:
            return run_action(superuser, "delete_selected", execution.script, url=SCRIPTS, **fields)
        return superuser.post(url, fields) if fields else superuser.get(url)

    html = delete().text
    assert "<li>Executions: 3+</li>" in html
    assert "<li>Execution logs: 3+</li>" in html
    assert "not yet all of them" in messages(delete(post="yes"))[-1]
    assert Script.objects.exists()
    monkeypatch.setattr(cascades, "TIME", 10)
    delete(post="yes")
    assert not Script.objects.exists()
    assert first_fault() is None
    assert last_transition()[1] is None


def test_ids_that_are_none_are_refused(superuser: Client, script: Script) -> None:
    fields = {"action": "delete_selected", "_selected_action": "no id", "post": "yes"}
    assert superuser.post(SCRIPTS, fields).status_code == 400
    assert Script.objects.exists()


# --- A busy ledger -------------------------------------------------------------------------------------


@pytest.fixture
def busy_ledger(execution: Execution, superuser: Client) -> Iterator[None]:
    """Another session holds the ledger, and nobody waits long for it."""
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    with (
        psycopg.connect(**{key: parameters[key] for key in keys if key in parameters}) as other,
        connection.cursor() as cursor,
    ):
        other.execute("SELECT pg_advisory_lock(%s)", [LEDGER_LOCK])
        cursor.execute("SET lock_timeout = '50ms'")
        yield
        cursor.execute("RESET lock_timeout")


@pytest.mark.usefixtures("busy_ledger")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", ["cancel action", "cancel button", "delete action", "delete page"])
def test_a_busy_ledger_is_told_and_nothing_has_changed(
    superuser: Client, execution: Execution, attempt: str
) -> None:
    response = {
        "cancel action": lambda: run_action(superuser, "cancel_selected", execution, confirm="yes"),
        "cancel button": lambda: superuser.post(page(execution, "cancel"), {"confirm": "yes"}),
        "delete action": lambda: run_action(superuser, "delete_selected", execution, confirm="yes"),
        "delete page": lambda: superuser.post(page(execution, "delete"), {"confirm": "yes"}),
    }[attempt]()
    assert response.status_code == 302
    assert messages(response) == ["The status ledger is busy; try again."]
    assert Execution.objects.get().status == Status.PENDING
