"""Periodic tasks on one page: when each runs, whether it is on, and a button that runs it now."""

import json
from datetime import datetime
from typing import Any

from celery import current_app
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from kombu.exceptions import OperationalError

from executions.admin.display import time


def schedule_in_words(task: Any) -> str:
    """Such as “Every 2 minutes”; a crontab's zone is named unless it is UTC."""
    if task.crontab:
        words: str = task.crontab.human_readable
        return words.removesuffix(" UTC")
    text = str(task.interval or task.solar or task.clocked or "")
    return text[:1].upper() + text[1:]


def next_run_of(task: Any) -> datetime | None:
    """When the scheduler will start it; None if it is off, or its schedule has no next time."""
    if not task.enabled:
        return None
    now = timezone.now()
    try:
        remaining = task.schedule.remaining_estimate(task.last_run_at or now)
    except (ArithmeticError, RuntimeError, ValueError):  # such as 30 February
        return None
    following: datetime = max(now, now + remaining)
    return following


def run_now(task: Any) -> None:
    """Send it to a worker.

    Raises:
        OperationalError: the broker is away.
        ValueError: its arguments are no JSON.
    """
    current_app.send_task(
        task.task,
        args=json.loads(task.args or "[]"),
        kwargs=json.loads(task.kwargs or "{}"),
        queue=task.queue or None,
        expires=task.expire_seconds,
        retry=False,
    )


admin.site.unregister(PeriodicTask)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin):
    list_display = ["name", "schedule", "last_run", "next_run", "is_on", "buttons"]
    list_filter = ["enabled"]
    date_hierarchy = None
    actions: list[str] = []  # those of django_celery_beat ask for no permission
    ordering = ["name"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in {"enabled__exact", "enabled__isnull"}

    def get_list_display(self, request: HttpRequest) -> list[str]:
        shown: list[str] = list(self.list_display)
        return shown if self.has_change_permission(request) else shown[:-1]

    def get_urls(self) -> list[URLPattern]:
        views = {"run": self.run_view, "switch": self.switch_view}
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"periodictask_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_POST)
    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = self._task(request, pk)
        try:
            run_now(task)
        except OperationalError:
            text = _("Not sent, since the broker is away: {name}.").format(name=task.name)
            self.message_user(request, text, messages.ERROR)
        except ValueError as error:
            text = _("The arguments of {name} are not JSON: {error}").format(name=task.name, error=error)
            self.message_user(request, text, messages.ERROR)
        else:
            text = _("Sent to a worker: {name}.").format(name=task.name)
            self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:django_celery_beat_periodictask_changelist")

    @method_decorator(require_POST)
    def switch_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = self._task(request, pk)
        task.enabled = not task.enabled
        task.save()  # which tells the scheduler
        text = _("Turned on: {name}.") if task.enabled else _("Turned off: {name}.")
        self.message_user(request, text.format(name=task.name), messages.SUCCESS)
        return redirect("admin:django_celery_beat_periodictask_changelist")

    def _task(self, request: HttpRequest, pk: int) -> Any:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(PeriodicTask, pk=pk)

    @admin.display(description=gettext_lazy("schedule"))
    def schedule(self, task: Any) -> str:
        return schedule_in_words(task)

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, task: Any) -> str:
        return time(task.last_run_at, "data-relative") if task.last_run_at else _("never")

    @admin.display(description=gettext_lazy("next run"))
    def next_run(self, task: Any) -> str:
        return time(next_run_of(task), "data-relative")

    @admin.display(description=gettext_lazy("on"), boolean=True)
    def is_on(self, task: Any) -> bool:
        return bool(task.enabled)

    @admin.display(description="")
    def buttons(self, task: Any) -> SafeString:
        # They send the list's own form, with its token, to other addresses.
        return format_html(
            '<button type="submit" class="button" formaction="{}" aria-label="{}">{}</button>'
            ' <button type="submit" class="button" formaction="{}" aria-label="{}">{}</button>',
            reverse("admin:periodictask_run", args=[task.pk]),
            _("Run {name} now").format(name=task.name),
            _("Run now"),
            reverse("admin:periodictask_switch", args=[task.pk]),
            (_("Turn off {name}") if task.enabled else _("Turn on {name}")).format(name=task.name),
            _("Turn off") if task.enabled else _("Turn on"),
        )


class _NotInMenu:
    """Reached from the form of a task, which may need a new one."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


for model, model_admin in {
    ClockedSchedule: beat.ClockedScheduleAdmin,
    CrontabSchedule: beat.CrontabScheduleAdmin,
    IntervalSchedule: beat.IntervalScheduleAdmin,
    SolarSchedule: beat.SolarScheduleAdmin,
}.items():
    admin.site.unregister(model)
    admin.site.register(model, type(model_admin.__name__, (_NotInMenu, model_admin), {}))
