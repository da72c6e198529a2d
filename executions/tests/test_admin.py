"""Executions and scripts in the admin."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from executions.admin.executions import BoundedPaginator
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from status.models import StatusLog
from status.states import Status
from status.triggers import LEDGER_LOCK
from status.verification import first_fault

from .factories import ExecutionFactory, ScriptFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:executions_execution_changelist")
SCRIPTS = reverse("admin:executions_script_changelist")


def page(execution: Execution, name: str = "change") -> str:
    return reverse(f"admin:executions_execution_{name}", args=[execution.pk])


@pytest.fixture
def superuser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def as_staff(client: Client, *permissions: str) -> User:
    user = staff(*permissions)
    client.force_login(user)
    return user


def messages(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def act(client: Client, action: str, *rows: Execution | Script, url: str = LIST, **fields: str) -> Any:
    pks = [row.pk for row in rows]
    return client.post(url, {"action": action, "_selected_action": pks, **fields})


def last_move() -> tuple[object, ...]:
    log = StatusLog.objects.newest()
    return log.status_from, log.status_to, log.actor, log.source


# --- Who may what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["list", "change", "history"])
def test_only_staff_with_permission_see_executions(
    client: Client, execution: Execution, owner: User, admin: User, name: str
) -> None:
    url = LIST if name == "list" else page(execution, name)
    assert client.get(url).status_code == 302
    for user, expected in [(owner, 302), (staff(), 403), (staff("view_execution"), 200), (admin, 200)]:
        client.force_login(user)
        assert client.get(url).status_code == expected


def test_nobody_adds_an_execution(superuser: Client) -> None:
    url = reverse("admin:executions_execution_add")
    assert superuser.get(url).status_code == superuser.post(url).status_code == 403


def test_nobody_edits_an_execution(superuser: Client, execution: Execution) -> None:
    fields = {"status": "FINISHED", "progress": 50, "results": "{}"}
    assert superuser.post(page(execution), fields).status_code == 403
    assert b"<textarea" not in superuser.get(page(execution)).content
    execution.refresh_from_db()
    assert (execution.status, execution.progress) == (Status.PENDING, 0)


@pytest.mark.parametrize("permission", ["view_execution", "change_execution", "delete_execution"])
def test_cancelling_has_a_permission_of_its_own(
    client: Client, execution: Execution, permission: str
) -> None:
    as_staff(client, permission)
    act(client, "cancel_selected", execution)
    assert client.post(page(execution, "cancel")).status_code == 403
    execution.refresh_from_db()
    assert execution.status == Status.PENDING


@pytest.mark.parametrize("permission", ["view_execution", "change_execution", "cancel_execution"])
def test_deleting_has_a_permission_of_its_own(client: Client, execution: Execution, permission: str) -> None:
    as_staff(client, "view_execution", *{permission} - {"view_execution"})
    act(client, "delete_selected", execution, post="yes")
    assert client.post(page(execution, "delete"), {"post": "yes"}).status_code == 403
    assert Execution.objects.exists()


# --- The list -------------------------------------------------------------------------------------------


def listed(client: Client, **parameters: Any) -> set[Execution]:
    return set(client.get(LIST, parameters).context["cl"].result_list)


def test_the_list_shows_status_progress_and_duration(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.RUNNING, progress=42)
    html = superuser.get(LIST).text
    assert '<span class="status-badge status-running">Running</span>' in html
    assert '<progress max="100" value="42"></progress> 42%' in html
    assert '<td class="field-shown_duration">0:00:0' in html


def test_search_by_id_email_and_slug(superuser: Client, execution: Execution) -> None:
    ExecutionFactory()
    for term in (execution.pk, execution.pk.hex, "OWNER@", "sum"):
        assert listed(superuser, q=term) == {execution}
    for term in (uuid4(), "nobody", str(execution.pk)[:8]):
        assert listed(superuser, q=term) == set()


def test_filters(superuser: Client, execution: Execution, script: Script) -> None:
    other = ExecutionFactory(status=Status.FAILED)
    assert listed(superuser, status__exact="FAILED") == {other}
    assert listed(superuser, script__id__exact=script.pk) == {execution}
    assert listed(superuser, **{"from": other.start_date.isoformat()}) == {other}
    assert listed(superuser, before=other.start_date.isoformat()) == {execution}


def test_more_executions_cost_no_more_queries(superuser: Client, execution: Execution) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            superuser.get(LIST)
        return len(captured)

    ExecutionFactory.create_batch(4)
    few = queries()
    ExecutionFactory.create_batch(45)
    assert queries() == few


def test_the_list_says_when_it_counted_no_further(
    superuser: Client, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    ExecutionFactory()
    assert "There may be more" not in superuser.get(LIST).text
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 1)
    assert "There may be more than these 1" in superuser.get(LIST).text


# --- The page of one execution --------------------------------------------------------------------------


def test_the_page_shows_the_history_and_the_log_lines(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.FAILED, source="worker", reason="disk <full>")
    execution.logs.create(text="  indented\n<script>", level="ERROR")
    html = superuser.get(page(execution)).text
    assert "created → " in html
    assert "disk &lt;full&gt;" in html
    assert "<pre>  indented\n&lt;script&gt;</pre>" in html


def test_links_to_the_ledger_are_for_those_who_may_see_it(client: Client, execution: Execution) -> None:
    as_staff(client, "view_execution")
    assert "/status/statuslog/" not in client.get(page(execution)).text
    as_staff(client, "view_execution", "view_statuslog")
    assert f"/status/statuslog/{StatusLog.objects.newest().pk}/" in client.get(page(execution)).text


def test_the_page_shows_any_document(superuser: Client, owner: User, script: Script) -> None:
    odd = {"é": ["\x00", "\ud800", "</pre><script>"]}
    execution = ExecutionFactory(user=owner, script=script, params=odd)
    html = superuser.get(page(execution)).text
    for shown in ("é", r"\u0000", r"\ud800", "&lt;/pre&gt;"):
        assert shown in html


def test_the_page_stays_small_however_much_a_run_has_said(superuser: Client, execution: Execution) -> None:
    execution.report(results={"rows": ["x" * 100] * 50_000})
    lines = [execution.logs.model(execution=execution, text=f"line {n};") for n in range(250)]
    execution.logs.bulk_create([*lines, execution.logs.model(execution=execution, text="y" * 1_000_000)])
    response = superuser.get(page(execution))
    assert len(response.content) < 300_000
    html = response.text
    assert "The first 50,000 of 5,200,010 characters" in html
    assert "and 998000 more characters" in html
    assert "The last 200 lines" in html
    assert "line 249;" in html
    assert "line 50;" not in html


def test_a_page_of_an_execution_that_is_gone_says_so(superuser: Client, execution: Execution) -> None:
    url = page(execution)
    execution.delete()
    assert "doesn’t exist" in superuser.get(url, follow=True).text


# --- Cancelling -----------------------------------------------------------------------------------------


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


# --- Deleting -------------------------------------------------------------------------------------------


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


# --- A busy ledger --------------------------------------------------------------------------------------


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


# --- Scripts --------------------------------------------------------------------------------------------


def script_fields(**fields: str) -> dict[str, str]:
    return {"name": "Sums", "slug": "sums", "command": '["python", "-V"]', "time_limit": "60", **fields}


def test_only_staff_with_permission_see_scripts(
    client: Client, script: Script, owner: User, admin: User
) -> None:
    for url in (SCRIPTS, reverse("admin:executions_script_change", args=[script.pk])):
        client.logout()
        assert client.get(url).status_code == 302
        for user, expected in [(owner, 302), (staff(), 403), (staff("view_script"), 200), (admin, 200)]:
            client.force_login(user)
            assert client.get(url).status_code == expected


def test_a_new_script_is_made_by_who_adds_it(client: Client) -> None:
    user = as_staff(client, "add_script")
    client.post(reverse("admin:executions_script_add"), script_fields())
    script = Script.objects.get()
    assert (script.user, script.command) == (user, ["python", "-V"])


def test_editing_a_script_leaves_its_maker_alone(superuser: Client) -> None:
    maker = staff()
    script = ScriptFactory(user=maker)
    url = reverse("admin:executions_script_change", args=[script.pk])
    superuser.post(url, script_fields(name="Sums of squares"))
    script.refresh_from_db()
    assert (script.name, script.user) == ("Sums of squares", maker)


@pytest.mark.parametrize("command", ["", "[]", "{}", '"ls"', "ls -l", '["ls", 1]', '["ls", ""]', "null"])
def test_a_command_that_is_no_list_of_strings_is_refused(superuser: Client, command: str) -> None:
    response = superuser.post(reverse("admin:executions_script_add"), script_fields(command=command))
    assert "command" in response.context["adminform"].form.errors
    assert not Script.objects.exists()
