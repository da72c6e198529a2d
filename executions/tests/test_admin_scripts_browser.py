"""A script's pages in a real browser."""

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from executions.models import Execution, Script
from gef_project.accounts.tests.staff import staff
from gef_project.common.tests.browser import WIDTHS, log_in
from status.states import Status

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_script_is_run_from_its_page(browser_page: Page, script: Script) -> None:
    page = browser_page
    ExecutionFactory(script=script, status=Status.FAILED, params={"limit": 3})
    log_in(page, staff("view_script", "run_script", "view_execution"))
    page.goto("/admin/executions/script/")
    page.get_by_role("link", name=script.name).click()
    expect(page.locator(".run-grid a")).to_have_count(1)
    page.get_by_role("link", name="Run", exact=True).click()
    params = page.get_by_label("Parameters")
    expect(params).to_have_value('{\n  "limit": 3\n}')
    params.fill('{"limit": 4')
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("is not JSON")).to_be_visible()
    expect(params).to_have_value('{"limit": 4')
    params.fill('{"limit": 4}')
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".messagelist")).to_contain_text("has been created")
    newest = Execution.objects.first()
    assert newest is not None
    assert newest.params == {"limit": 4}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_fit_and_can_be_used(
    browser_page: Page, script: Script, width: str, theme: Literal["light", "dark"]
) -> None:
    for status in [*Status] * 3:
        ExecutionFactory(script=script, status=status)
    script.command = ["python", "-c", "print(1)\n" * 10, "x" * 300]
    script.save()
    pages = [f"/admin/executions/script/{script.pk}/{name}/" for name in ("change", "run")]
    log_in(browser_page, staff("view_script", "run_script", "view_execution"))
    browser_page.emulate_media(color_scheme=theme)
    browser_page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    for url in ("/admin/executions/script/", *pages):
        browser_page.goto(url)
