"""The ledger in a real browser: searched, jumped in, read and exported, wide and narrow, light and dark."""

import json
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.common.tests.browser import WIDTHS, log_in, serious_findings, sideways
from status.models import StatusLog
from status.states import Status

from .ledger_builders import begin_with_periodic_rows

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/status/statuslog/"


def test_search_jump_and_export(browser_page: Page, admin: User, execution: Execution) -> None:
    page = browser_page
    for status in (Status.READY, Status.RUNNING, Status.FINISHED):
        execution.update_status(status, source="worker")
    other = ExecutionFactory()
    log_in(page, admin)
    page.goto(LIST)
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(6)

    page.get_by_label("Search").fill(str(execution.pk)[:8])
    page.keyboard.press("Enter")
    expect(rows).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as JSON lines").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["execution_id"] for line in lines] == [str(execution.pk)] * 4

    page.get_by_label("Search").fill("nothing like it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    page.get_by_role("link", name="Show everything").click()
    expect(rows).to_have_count(6)

    page.get_by_label("Go to").fill("4")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(4)
    rows.first.get_by_role("link", name="4", exact=True).click()
    expect(page.get_by_role("heading", name="Row 4 of the status log")).to_be_visible()
    page.locator("#neighbours").get_by_role("link", name="3").first.click()
    expect(page.get_by_role("heading", name="Row 3 of the status log")).to_be_visible()
    assert StatusLog.objects.newest().execution_id == other.pk


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_fit_and_can_be_used(
    browser_page: Page, admin: User, width: str, theme: Literal["light", "dark"]
) -> None:
    begin_with_periodic_rows([{"running": 2, "finished": 5}])
    for status in Status:
        ExecutionFactory(status=status).log("a line", "INFO")
    Execution.objects.active().cancel(actor=admin, source="admin", reason="no longer needed, " * 10)
    log_in(browser_page, admin)
    browser_page.emulate_media(color_scheme=theme)
    browser_page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    for url in (
        LIST,
        f"{LIST}?q=nothing",
        f"{LIST}?event=creation&at=3",
        f"{LIST}1/change/",
        f"{LIST}4/change/",
    ):
        browser_page.goto(url)
        assert sideways(browser_page) <= 0
        assert serious_findings(browser_page) == []
