"""Acting on executions in the admin, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.common.tests.browser import WIDTHS, log_in, serious_findings, sideways
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .admin_pages import LIST
from .admin_pages import page as page_of
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_that_match_are_cancelled_batch_by_batch(
    browser_page: Page, admin: User, owner: User, script: Script
) -> None:
    Execution.objects.bulk_create([Execution(script=script, user=owner) for _ in range(12_000)])
    other = ExecutionFactory()
    log_in(browser_page, admin)
    browser_page.goto(f"{LIST}?script=sums")
    browser_page.get_by_label("All that match").check()
    browser_page.get_by_role("button", name="Cancel").click()
    expect(browser_page.get_by_role("heading", level=1)).to_have_text("Cancel at least 1,000 executions?")
    browser_page.get_by_label("Reason").fill("no longer needed")
    browser_page.get_by_label("These are many").fill("cancel")
    browser_page.get_by_role("button", name="Cancel at least").click()
    expect(browser_page.locator(".messagelist")).to_have_text("Cancelled: 12,000.", timeout=60_000)
    assert Execution.objects.filter(outcome=Status.CANCELLED).count() == 12_000
    assert list(Execution.objects.active()) == [other]
    log = StatusLog.objects.newest()
    assert (log.reason, log.actor, first_fault()) == ("no longer needed", admin, None)


def test_one_is_cancelled_with_a_reason_that_the_ledger_keeps(
    browser_page: Page, admin: User, execution: Execution
) -> None:
    log_in(browser_page, admin)
    browser_page.goto(page_of(execution))
    browser_page.get_by_role("link", name="Cancel …").click()
    browser_page.get_by_label("Reason").fill("a mistake")
    browser_page.get_by_role("button", name="Cancel 1").click()
    expect(browser_page.get_by_role("heading", level=1)).to_contain_text("Cancelled")
    browser_page.get_by_role("link", name="History").click()
    expect(browser_page.locator("#status-history tbody tr").last).to_contain_text("a mistake")


def test_a_script_is_found_by_what_is_typed_and_taken_off_again(
    browser_page: Page, admin: User, execution: Execution
) -> None:
    ExecutionFactory()
    log_in(browser_page, admin)
    browser_page.goto(LIST)
    rows = browser_page.locator("#result_list tbody tr")
    browser_page.get_by_label("Script").press_sequentially("su")
    expect(browser_page.locator("#scripts option[value=sums]")).to_be_attached()
    browser_page.get_by_label("Script").fill("sums")
    browser_page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    browser_page.get_by_role("link", name="Script: sums").click()
    expect(rows).to_have_count(2)


def test_the_keyboard_reaches_the_first_row(browser_page: Page, admin: User, execution: Execution) -> None:
    log_in(browser_page, admin)
    browser_page.goto(LIST)
    for name in ("Skip to main content", "Skip to the rows"):
        browser_page.keyboard.press("Tab")
        expect(browser_page.locator(":focus")).to_have_text(name)
        browser_page.keyboard.press("Enter")
    browser_page.keyboard.press("Tab")
    expect(browser_page.locator("#result_list tbody tr:first-child :focus")).to_be_attached()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_executions_fit_and_can_be_used(
    browser_page: Page, admin: User, execution: Execution, width: str, theme: str
) -> None:
    execution.script.name = "A script with a name that is as long as such names are in real life"
    execution.script.save()
    for status in Status:
        ExecutionFactory(script=execution.script, status=status)
    execution.logs.create(text="x" * 3_000, level="ERROR")
    execution.update_status(Status.FAILED, reason="a/long/path/without/any/space" * 10)
    log_in(browser_page, admin)
    browser_page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    browser_page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    tabs = [f"{page_of(execution)}?tab={tab}" for tab in ("log", "data", "history", "raw")]
    urls = ["/admin/", LIST, f"{LIST}?script={execution.script.slug}&status=FAILED", *tabs]
    findings = {}
    for url in [*urls, page_of(execution, "delete")]:
        browser_page.goto(url)
        wide = sideways(browser_page)
        if found := ([f"{wide} px too wide"] if wide > 0 else []) + serious_findings(browser_page):
            findings[url] = found
    assert findings == {}
