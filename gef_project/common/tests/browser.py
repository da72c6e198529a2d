"""A real browser, and what every page must be in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from gef_project.accounts.models import User

PASSWORD = "a long enough phrase"
WIDTHS = {"wide": 1280, "narrow": 360}


@contextmanager
def opened_browser(url: str) -> Iterator[Page]:
    """A page of Chromium; what it complains about in its console fails the test."""
    chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    assert chromium, "no Chromium on this machine: apt-get install chromium"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, which is who runs the tests in a container.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: _note(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert not complaints, "\n".join(complaints)


def _note(complaints: list[str], message: Any) -> None:
    text = message.text
    if "Content Security Policy" in text or "violates" in text:
        complaints.append(f"{message.location} {text}")


def log_in(page: Page, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def serious_findings(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical, targets of less than 24 px included."""
    # Without "preload", with which axe itself adds inline styles, against the page's policy.
    options = {"preload": False, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
