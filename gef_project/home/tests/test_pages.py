"""Every page of the admin, in a real browser: its policy, its width, and who can use it."""

from collections.abc import Iterator
from typing import Literal

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from gef_project.common.tests.browser import WIDTHS, log_in, serious_findings, sideways
from status.models import StatusLog

POLICY = "default-src 'none'"


def pages_of(execution: Execution, admin_user: User) -> Iterator[str]:
    """A list, an empty form and an existing object of every model that has them."""
    yield "/admin/"
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        if model._meta.app_label not in {"executions", "status"}:
            yield reverse(f"{name}_add")
        if first := model_admin.model._default_manager.first():
            yield reverse(f"{name}_change", args=[first.pk])
            if model is not StatusLog:
                yield reverse(f"{name}_delete", args=[first.pk])
    yield "/admin/password_change/"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("width", "theme"), [("wide", "light"), ("narrow", "dark")])
def test_every_page_keeps_its_policy_fits_and_can_be_used(
    browser_page: Page, admin_user_pages: list[str], width: str, theme: Literal["light", "dark"]
) -> None:
    browser_page.emulate_media(color_scheme=theme)
    browser_page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    findings = {}
    for url in admin_user_pages:
        browser_page.goto(url)
        found = [f"{sideways(browser_page)} px too wide"] if sideways(browser_page) > 0 else []
        if found := found + serious_findings(browser_page):
            findings[url] = found
    assert findings == {}


@pytest.fixture
def admin_user_pages(browser_page: Page, admin: User, execution: Execution) -> list[str]:
    log_in(browser_page, admin)
    return list(pages_of(execution, admin))


@pytest.mark.django_db(transaction=True)
def test_the_documentation_of_the_api_keeps_its_policy(browser_page: Page) -> None:
    browser_page.goto("/api/docs")
    expect(browser_page.get_by_text("Execution tracking API").first).to_be_visible()


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("url", ["/nothing", "/admin/nothing/"])
def test_what_is_not_there_has_a_page_of_ours(client: Client, admin: User, settings, url: str, debug) -> None:
    settings.DEBUG = debug
    client.force_login(admin)
    answer = client.get(url)
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in answer.text
    assert debug or POLICY in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_what_is_forbidden_has_a_page_of_ours(client: Client) -> None:
    client.force_login(staff())
    answer = client.get("/admin/executions/execution/")
    assert answer.status_code == 403
    assert "You may not do this" in answer.text


@pytest.mark.django_db
def test_a_request_that_cannot_be_understood_has_a_page_of_ours(client: Client, settings) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = False, ["elsewhere.example.org"]
    answer = client.get("/admin/login/")
    assert answer.status_code == 400
    assert "cannot be understood" in answer.text


@pytest.mark.django_db
def test_a_failure_has_a_page_of_ours(client: Client, admin: User, settings) -> None:
    settings.DEBUG = False
    client.force_login(admin)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE status_log RENAME TO lost")
    answer = client.get("/admin/live/")
    assert answer.status_code == 500
    assert "The server failed" in answer.text


@pytest.mark.django_db
def test_the_root_leads_to_the_admin(client: Client) -> None:
    assert client.get("/")["Location"] == client.get("/admin")["Location"] == "/admin/"
    assert client.get("/favicon.ico")["Location"].endswith("favicon.svg")
