"""The home page: what is going on, and what needs somebody."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from executions.admin import lookups
from status.models import StatusLog
from status.states import Status, count_field

from . import health
from .charts import RANGES, Chart

FIRST_RANGE = "day"


def home_context(request: HttpRequest) -> dict[str, Any]:
    """For those who may see executions; empty for others, who get the list of their pages."""
    if not request.user.has_perm("executions.view_execution"):
        return {}
    newest = StatusLog.objects.newest()
    chosen = RANGES.get(request.GET.get("range", ""), RANGES[FIRST_RANGE])
    return {
        "newest": newest,
        "tiles": _tiles(newest),
        "ranges": RANGES.values(),
        "chart": Chart(chosen),
        "running": lookups.running(),
        "failures": lookups.last_failures(),
        "scripts": lookups.scripts_in_use(),
        "signs": health.signs(),
    }


def _tiles(newest: StatusLog) -> list[dict[str, Any]]:
    executions = reverse("admin:executions_execution_changelist")
    return [
        {
            "name": status.lower(),
            "label": status.label,
            "count": getattr(newest, count_field(status)),
            "url": f"{executions}?status={status}",
        }
        for status in Status
    ]


def workers_view(request: HttpRequest) -> HttpResponse:
    """A piece of the home page, which it reads by itself: workers take their time to answer."""
    if not request.user.has_perm("executions.view_execution"):
        raise PermissionDenied
    return render(request, "admin/sign.html", {"sign": health.workers()})
