"""Executions in the admin: who sees them, and what they see."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

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
        assert client.get(url).status_code == (302 if name == "history" and expected == 200 else expected)


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


# --- The page of one execution -------------------------------------------------------------------------


def test_the_page_shows_the_history_and_the_log_lines(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.FAILED, source="worker", reason="disk <full>")
    execution.logs.create(text="  indented\n<script>", level="ERROR")
    html = superuser.get(page(execution)).text
    assert "<pre>  indented\n&lt;script&gt;</pre>" in html
    history = superuser.get(page(execution, "history"), follow=True).text
    assert "created → " in history
    assert history.count("disk &lt;full&gt;") == 2  # also above all tabs


def test_links_to_the_ledger_are_for_those_who_may_see_it(client: Client, execution: Execution) -> None:
    as_staff(client, "view_execution")
    history = page(execution) + "?tab=history"
    assert "/status/statuslog/" not in client.get(history).text
    as_staff(client, "view_execution", "view_statuslog")
    assert f"/status/statuslog/{StatusLog.objects.newest().pk}/" in client.get(history).text


def test_the_page_shows_any_document(superuser: Client, owner: User, script: Script) -> None:
    odd = {"é": ["\x00", "\ud800", "</pre><script>"]}
    execution = ExecutionFactory(user=owner, script=script, params=odd)
    html = superuser.get(page(execution) + "?tab=data").text
    for shown in ("é", r"\u0000", r"\ud800", "&lt;/pre&gt;"):
        assert shown in html


def test_the_page_stays_small_however_much_a_run_has_said(superuser: Client, execution: Execution) -> None:
    execution.report(results={"rows": ["x" * 100] * 50_000})
    lines = [execution.logs.model(execution=execution, text=f"line {n};") for n in range(250)]
    execution.logs.bulk_create([*lines, execution.logs.model(execution=execution, text="y" * 1_000_000)])
    log, data = superuser.get(page(execution)), superuser.get(page(execution) + "?tab=data")
    assert len(log.content) + len(data.content) < 300_000
    assert "The first 50,000 of 5,200,010 characters" in data.text
    html = log.text
    assert "and 998000 more characters" in html
    assert "Older lines" in html
    assert "line 249;" in html
    assert "line 50;" not in html


def test_a_page_of_an_execution_that_is_gone_says_so(superuser: Client, execution: Execution) -> None:
    url = page(execution)
    execution.delete()
    answer = superuser.get(url)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_the_log_is_filtered_searched_read_on_and_downloaded(superuser: Client, execution: Execution) -> None:
    for text, level in [("one", "INFO"), ("two <b>", "ERROR"), ("three", "INFO")]:
        execution.logs.create(text=text, level=level)
    first = execution.logs.first()
    assert first is not None

    def lines(**asked: Any) -> list[str]:
        return [line.head for line in superuser.get(page(execution), asked).context["lines"].rows]

    assert lines(level="error") == ["two <b>"]
    assert lines(find="THR") == ["three"]
    assert lines(find="\0", level="x", before="x") == ["one", "two <b>", "three"]
    assert lines(before=first.pk + 1) == ["one"]
    news = superuser.get(page(execution, "lines"), {"after": first.pk}).text
    assert "one" not in news
    assert "two &lt;b&gt;" in news
    download = superuser.get(page(execution, "log"))
    assert "attachment" in download["Content-Disposition"]
    assert b"ERROR two <b>\n" in download.getvalue()


def test_documents_are_downloaded_as_they_are_stored(superuser: Client, owner: User, script: Script) -> None:
    execution = ExecutionFactory(user=owner, script=script, params={"b": 1, "a": ["\x00"]})
    url = reverse("admin:executions_execution_document", args=[execution.pk, "params"])
    assert superuser.get(url).json() == {"b": 1, "a": ["\x00"]}
    other = reverse("admin:executions_execution_document", args=[execution.pk, "status"])
    assert superuser.get(other).status_code == 404


def test_a_failure_comes_first_with_its_reason_and_last_error_lines(
    superuser: Client, execution: Execution
) -> None:
    execution.logs.create(text="Traceback: it broke", level="ERROR")
    execution.update_status(Status.FAILED, reason="exit code 1")
    html = superuser.get(page(execution)).text
    section = html[html.index('id="failure"') : html.index('id="timeline"')]
    assert "exit code 1" in section
    assert "Traceback: it broke" in section


def test_the_timeline_has_the_stretches_that_there_were(superuser: Client, execution: Execution) -> None:
    def parts() -> list[str]:
        return [part.label for part in superuser.get(page(execution)).context["parts"]]

    assert parts() == ["Queued"]
    execution.claim("w1@host")
    assert parts() == ["Queued", "Claimed"]
    execution.refresh_from_db()
    execution.update_status(Status.RUNNING)
    execution.update_status(Status.FINISHED)
    assert parts() == ["Queued", "Claimed", "Running"]
