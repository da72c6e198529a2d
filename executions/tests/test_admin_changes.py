"""What the admin does to executions: it cancels and deletes them."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.common.admin import cascades
from status.sql import LEDGER_LOCK
from status.states import Status
from status.verification import first_fault

from .admin_pages import SCRIPTS, act, as_staff, last_move, messages, page
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


# --- Cancelling ----------------------------------------------------------------------------------------


def test_the_action_cancels_and_tells_how_many(client: Client, execution: Execution) -> None:
    user = as_staff(client, "view_execution", "cancel_execution")
    ended = ExecutionFactory(status=Status.FINISHED)
    other = ExecutionFactory()
    response = act(client, "cancel_selected", execution, ended)
    assert messages(response) == ["Cancelled: 1. Had ended already: 1."]
    assert last_move() == (Status.PENDING, Status.CANCELLED, user, "admin")
    other.refresh_from_db()
    assert other.status == Status.PENDING


def test_the_button_cancels(client: Client, execution: Execution) -> None:
    user = as_staff(client, "view_execution", "cancel_execution")
    assert page(execution, "cancel") in client.get(page(execution)).text
    response = client.post(page(execution, "cancel"))
    assert response["Location"] == page(execution)
    assert last_move() == (Status.PENDING, Status.CANCELLED, user, "admin")
    assert page(execution, "cancel") not in client.get(page(execution)).text


def test_the_button_is_for_those_who_may(client: Client, execution: Execution) -> None:
    as_staff(client, "view_execution")
    assert page(execution, "cancel") not in client.get(page(execution)).text


def test_a_link_does_not_cancel(superuser: Client, execution: Execution) -> None:
    assert superuser.get(page(execution, "cancel")).status_code == 405


def test_cancelling_needs_the_token_of_the_form(admin: User, execution: Execution) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    assert client.post(page(execution, "cancel")).status_code == 403


def test_cancelling_what_has_ended_says_so(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.FINISHED)
    response = superuser.post(page(execution, "cancel"))
    assert messages(response) == [
        "An execution cannot go from FINISHED to CANCELLED; from FINISHED it can go to nothing: it has ended."
    ]


# --- Deleting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bulk", [True, False])
def test_a_deletion_is_attributed(client: Client, execution: Execution, bulk: bool) -> None:
    user = as_staff(client, "view_execution", "delete_execution")
    if bulk:
        act(client, "delete_selected", execution, post="yes")
    else:
        client.post(page(execution, "delete"), {"post": "yes"})
    assert last_move() == (Status.PENDING, None, user, "admin")
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
            return act(superuser, "delete_selected", script, url=SCRIPTS, **fields)
        url = reverse("admin:executions_script_delete", args=[script.pk])
        return superuser.post(url, fields) if fields else superuser.get(url)

    html = delete().text
    for text in ("<li>Executions: 2</li>", "<li>Execution logs: 1</li>", "The status log keeps the rows"):
        assert text in html
    delete(post="yes")
    assert not Script.objects.exists()
    assert last_move() == (Status.PENDING, None, admin, "admin")
    assert first_fault() is None


@pytest.mark.parametrize("bulk", [True, False])
def test_who_may_not_delete_executions_cannot_delete_their_script(
    client: Client, execution: Execution, bulk: bool
) -> None:
    as_staff(client, "view_script", "delete_script")
    if bulk:
        act(client, "delete_selected", execution.script, url=SCRIPTS, post="yes")
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
            return act(superuser, "delete_selected", execution.script, url=SCRIPTS, **fields)
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
    assert last_move()[1] is None


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
        "cancel action": lambda: act(superuser, "cancel_selected", execution),
        "cancel button": lambda: superuser.post(page(execution, "cancel")),
        "delete action": lambda: act(superuser, "delete_selected", execution, post="yes"),
        "delete page": lambda: superuser.post(page(execution, "delete"), {"post": "yes"}),
    }[attempt]()
    assert response.status_code == 302
    assert messages(response) == ["The status ledger is busy; try again."]
    assert Execution.objects.get().status == Status.PENDING
    admin_actions = superuser.get(page(execution, "history")).context["action_list"]
    assert list(admin_actions) == []
