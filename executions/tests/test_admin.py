"""Executions in the admin: who sees them, and what they see."""

from typing import Any
from uuid import uuid4

import pytest
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

from .admin_pages import LIST, as_staff, page, run_action
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


# --- Who may what --------------------------------------------------------------------------------------


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
    run_action(client, "cancel_selected", execution)
    assert client.post(page(execution, "cancel")).status_code == 403
    execution.refresh_from_db()
    assert execution.status == Status.PENDING


@pytest.mark.parametrize("permission", ["view_execution", "change_execution", "cancel_execution"])
def test_deleting_has_a_permission_of_its_own(client: Client, execution: Execution, permission: str) -> None:
    as_staff(client, "view_execution", *{permission} - {"view_execution"})
    run_action(client, "delete_selected", execution, post="yes")
    assert client.post(page(execution, "delete"), {"post": "yes"}).status_code == 403
    assert Execution.objects.exists()


# --- The list ------------------------------------------------------------------------------------------


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


# --- The page of one execution -------------------------------------------------------------------------


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
