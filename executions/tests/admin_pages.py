"""Helpers for tests of the admin: URLs, logging in, and running actions."""

from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from status.models import StatusLog

LIST = reverse("admin:executions_execution_changelist")
SCRIPTS = reverse("admin:executions_script_changelist")


def page(execution: Execution, name: str = "change") -> str:
    return reverse(f"admin:executions_execution_{name}", args=[execution.pk])


def as_staff(client: Client, *permissions: str) -> User:
    user = staff(*permissions)
    client.force_login(user)
    return user


def messages(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def run_action(client: Client, action: str, *rows: Execution | Script, url: str = LIST, **fields: str) -> Any:
    pks = [row.pk for row in rows]
    return client.post(url, {"action": action, "_selected_action": pks, **fields})


def last_transition() -> tuple[object, ...]:
    log = StatusLog.objects.newest()
    return log.status_from, log.status_to, log.actor, log.source
