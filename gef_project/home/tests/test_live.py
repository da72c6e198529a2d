"""What the admin's pages show without being loaded again."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from gef_project.common.tests.browser import log_in, opened_browser
from gef_project.home import live
from gef_project.tests.servers import web_server
from status.models import StatusLog
from status.states import Status

LIVE = "/admin/live/"


def events(client: Client, **headers: str) -> list[tuple[int, dict[str, object]]]:
    text = client.get(LIVE, headers=headers).text
    blocks = [block.splitlines() for block in text.split("\n\n") if "data: " in block]
    return [
        (int(lines[-2].removeprefix("id: ")), json.loads(lines[-1].removeprefix("data: ")))
        for lines in blocks
    ]


@pytest.mark.django_db
def test_the_stream_is_for_staff_who_may_see_executions_or_the_ledger(client: Client, owner: User) -> None:
    assert client.get(LIVE).status_code == 302
    allowed = {"view_execution": 200, "view_statuslog": 200, "view_script": 403}
    for user, expected in [(owner, 302), *((staff(name), status) for name, status in allowed.items())]:
        client.force_login(user)
        assert client.get(LIVE).status_code == expected


@pytest.mark.django_db
def test_an_event_has_the_counts_and_the_executions_since_the_last_one(client: Client, admin: User) -> None:
    client.force_login(admin)
    last = StatusLog.objects.newest().pk
    one, other = ExecutionFactory(), ExecutionFactory(status=Status.FAILED)
    [(number, news)] = events(client, **{"Last-Event-ID": str(last)})
    assert number == StatusLog.objects.newest().pk
    assert (news["created"], news["changed"]) == (2, [str(one.pk), str(other.pk)])
    assert news["counts"] == {
        **dict.fromkeys(["ready", "running", "finished", "cancelled"], 0),
        "pending": 1,
        "failed": 1,
        "active": 1,
    }
    assert events(client, **{"Last-Event-ID": str(number)}) == []


@pytest.mark.django_db
@pytest.mark.parametrize("known", ["0", "999999999999"])
def test_who_was_away_for_too_long_is_told_only_that(
    client: Client, admin: User, execution: Execution, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_BEHIND", 1)
    client.force_login(admin)
    assert "event: missed" in client.get(LIVE, headers={"Last-Event-ID": known}).text


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["\0", "-1", "1e9", "²", "9" * 40])
def test_an_odd_place_is_now(client: Client, admin: User, execution: Execution, odd: str) -> None:
    client.force_login(admin)
    answer = client.get(LIVE, {"after": odd})
    assert (answer.status_code, "data:" in answer.text) == (200, False)


@pytest.fixture
def deployed(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Page, str]]:
    """A browser on the web server as it is deployed, which holds the stream open."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with web_server() as server, opened_browser(server.url) as page:
        yield page, server.url
        connection.close()


def test_the_home_page_follows(deployed: tuple[Page, str], admin: User, execution: Execution) -> None:
    page, _ = deployed
    log_in(page, admin)
    tiles = page.locator(".tiles")
    expect(tiles.locator("[data-live-count=pending]")).to_have_text("1")
    execution.claim("w1@host")
    execution.update_status(Status.RUNNING, progress=30)
    expect(tiles.locator("[data-live-count=running]")).to_have_text("1")
    expect(page.locator("#running")).to_contain_text("30%")
    execution.update_status(Status.FAILED, reason="no more disk")
    expect(page.locator("#failures")).to_contain_text("no more disk")
    expect(page.locator("#running")).to_contain_text("Nothing runs.")


def test_an_execution_is_watched_from_pending_to_finished(
    deployed: tuple[Page, str], admin: User, execution: Execution
) -> None:
    page, _ = deployed
    log_in(page, admin)
    page.goto(f"/admin/executions/execution/{execution.pk}/change/")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Pending")
    execution.claim("w1@host")
    execution.refresh_from_db()
    execution.update_status(Status.RUNNING)
    expect(heading).to_contain_text("Running")
    execution.logs.create(text="the first line <b>", level="INFO")
    expect(page.locator("#log-lines")).to_contain_text("the first line <b>")
    execution.logs.create(text="the last line", level="INFO")
    execution.update_status(Status.FINISHED)
    expect(heading).to_contain_text("Finished")
    expect(page.locator("#log-lines")).to_contain_text("the last line")
    expect(page.locator("#timeline")).to_contain_text("Ended")


def test_the_list_offers_new_rows_and_does_not_move(
    deployed: tuple[Page, str], admin: User, execution: Execution
) -> None:
    page, _ = deployed
    log_in(page, admin)
    page.goto("/admin/executions/execution/")
    rows = page.locator("#result_list tbody tr")
    expect(page.get_by_role("link", name="new")).to_be_hidden()
    ExecutionFactory.create_batch(3)
    expect(page.get_by_role("link", name="3 new")).to_be_visible()
    expect(rows).to_have_count(1)
    execution.update_status(Status.CANCELLED)
    expect(rows.first).to_contain_text("Cancelled")
    page.get_by_role("link", name="3 new").click()
    expect(rows).to_have_count(4)


def test_a_restart_of_the_server_loses_nothing(
    transactional_db: None, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with ExitStack() as stack:
        with web_server() as first:
            page = stack.enter_context(opened_browser(first.url))
            stack.callback(connection.close)
            log_in(page, admin)
            pending = page.locator("[data-live-count=pending]")
            expect(pending).to_have_text("0")
        ExecutionFactory.create_batch(3)
        with web_server(port=urlsplit(first.url).port or 0):
            expect(pending).to_have_text("3", timeout=20_000)
            ExecutionFactory()
            expect(pending).to_have_text("4")
