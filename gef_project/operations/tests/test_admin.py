"""Periodic tasks in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from playwright.sync_api import Page, expect

from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import member_of, staff
from gef_project.common.tests.browser import WIDTHS, log_in, serious_findings, sideways
from gef_project.operations import schedule
from gef_project.operations.admin import next_run_of, schedule_in_words

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_celery_beat_periodictask_changelist")


@pytest.fixture
def monitor(db: None) -> Any:
    schedule.install(apps)
    return PeriodicTask.objects.get(name="monitor-executions")


def button(task: Any, name: str) -> str:
    return reverse(f"admin:periodictask_{name}", args=[task.pk])


def messages(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_schedules_are_told_in_words() -> None:
    crontab = CrontabSchedule(minute="*/2", timezone="UTC")
    assert schedule_in_words(PeriodicTask(crontab=crontab)) == "Every 2 minutes"
    crontab = CrontabSchedule(minute="12", hour="3", timezone="Europe/Berlin")
    assert schedule_in_words(PeriodicTask(crontab=crontab)) == "At 03:12 AM Europe/Berlin"
    interval = IntervalSchedule(every=5, period="seconds")
    assert schedule_in_words(PeriodicTask(interval=interval)) == "Every 5 seconds"


def test_the_next_run_is_within_the_schedule(monitor: Any) -> None:
    now = timezone.now()
    for last in (None, now, now - timedelta(days=1)):
        monitor.last_run_at = last
        following = next_run_of(monitor)
        assert following is not None
        assert now <= following <= timezone.now() + timedelta(minutes=2)
    monitor.enabled = False
    assert next_run_of(monitor) is None


def test_a_schedule_without_a_next_run_spoils_no_page(client: Client, admin: User, monitor: Any) -> None:
    CrontabSchedule.objects.filter(pk=monitor.crontab_id).update(day_of_month="30", month_of_year="2")
    client.force_login(admin)
    assert client.get(LIST).status_code == 200


def test_a_task_is_turned_off_and_on(client: Client, admin: User, monitor: Any) -> None:
    client.force_login(admin)
    for expected, text in [(False, "Turned off: "), (True, "Turned on: ")]:
        assert messages(client.post(button(monitor, "switch")))[-1] == f"{text}monitor-executions."
        monitor.refresh_from_db()
        assert monitor.enabled is expected


def test_a_task_is_run_now(client: Client, admin: User, monitor: Any) -> None:
    client.force_login(admin)
    assert messages(client.post(button(monitor, "run"))) == ["Sent to a worker: monitor-executions."]
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue(current_app.conf.task_default_queue)
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert message.headers["task"] == "executions.tasks.monitor_executions"


@pytest.mark.usefixtures("broker_down")
def test_a_broker_that_is_away_is_told(client: Client, admin: User, monitor: Any) -> None:
    client.force_login(admin)
    text = "Not sent, since the broker is away: monitor-executions."
    assert messages(client.post(button(monitor, "run"))) == [text]


def test_viewers_look_and_change_nothing(client: Client, monitor: Any) -> None:
    client.force_login(member_of("Viewer"))
    html = client.get(LIST).text
    assert "Every 2 minutes" in html
    assert "Run now" not in html
    client.post(LIST, {"action": "disable_tasks", "_selected_action": monitor.pk})
    assert client.post(button(monitor, "run")).status_code == 403
    assert client.post(button(monitor, "switch")).status_code == 403
    monitor.refresh_from_db()
    assert monitor.enabled


def test_a_link_does_nothing(client: Client, monitor: Any) -> None:
    client.force_login(staff("change_periodictask"))
    assert client.get(button(monitor, "run")).status_code == 405


def test_schedules_are_not_in_the_menu(client: Client, admin: User) -> None:
    client.force_login(admin)
    html = client.get(LIST).text
    assert reverse("admin:django_celery_beat_crontabschedule_changelist") not in html
    assert LIST in html


def test_odd_look_ups_are_refused(client: Client, admin: User) -> None:
    client.force_login(admin)
    for query in ("args__regex=(", "crontab__minute=1", "x=1"):
        assert client.get(f"{LIST}?{query}").status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_in_a_browser(browser_page: Page, admin: User, monitor: Any, width: str) -> None:
    log_in(browser_page, admin)
    browser_page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    browser_page.goto(LIST)
    assert sideways(browser_page) <= 0
    assert serious_findings(browser_page) == []
    browser_page.get_by_role("button", name="Turn off monitor-executions").click()
    expect(browser_page.locator(".messagelist")).to_have_text("Turned off: monitor-executions.")
    monitor.refresh_from_db()
    assert not monitor.enabled
    assert browser_page.get_by_role("button", name="Turn on monitor-executions").is_visible()
