"""The admin as somebody uses it: a real browser, against a real server."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.common.tests.browser import log_in
from status.models import StatusLog
from status.states import Status

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_the_ledger_to_an_execution_and_back(
    browser_page: Page, admin: User, execution: Execution
) -> None:
    page = browser_page
    execution.update_status(Status.RUNNING, source="worker")
    ExecutionFactory(status=Status.FINISHED)
    log_in(page, admin)

    page.get_by_role("link", name="Status logs").first.click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(StatusLog.objects.count())

    page.get_by_label("Source").select_option("Worker")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Pending → Running")

    rows.get_by_role("link", name=str(execution.pk)[:8]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(execution.script.name)
    page.get_by_role("link", name="History").click()
    expect(page.locator("#status-history tbody tr")).to_have_count(2)

    page.get_by_role("link", name="Executions").last.click()
    page.get_by_role("row", name=str(execution.pk)[:8]).get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel 1").click()
    expect(page.locator(".messagelist")).to_have_text("Cancelled: 1.")

    page.get_by_role("link", name="Status logs").click()
    expect(rows.first).to_contain_text("Running → Cancelled")
    expect(rows.first).to_contain_text(admin.email)
    log = StatusLog.objects.newest()
    assert (log.execution_id, log.status_to, log.actor) == (execution.pk, Status.CANCELLED, admin)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_status_can_be_read(browser_page: Page, admin: User, theme: Literal["light", "dark"]) -> None:
    for status in Status:
        ExecutionFactory(status=status)
    log_in(browser_page, admin)
    browser_page.emulate_media(color_scheme=theme)
    browser_page.goto("/admin/status/statuslog/")
    badges = browser_page.locator("#result_list .status-badge")
    seen = set()
    for badge in badges.all():
        styles = badge.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
        assert contrast(*styles) >= 4.5
        seen.add(badge.inner_text())
    assert seen == {*Status.labels, "Snapshot"}


def contrast(*colours: str) -> float:
    """The ratio that the Web Content Accessibility Guidelines define, between two opaque colours."""
    darker, lighter = sorted(map(luminance, colours))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
