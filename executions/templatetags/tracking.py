"""How the admin's templates show times, numbers, ids and executions."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.admin import display
from executions.models import Execution
from status.admin.display import badge

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def short(identifier: Any) -> str:
    return str(identifier)[:8]


@register.filter
def span(duration: timedelta | None) -> str:
    return display.span(duration)


@register.filter
def relative(time: datetime | None) -> str | SafeString:
    """How long ago, by the page's script; without it the time in UTC."""
    return display.time(time, "data-relative")


@register.filter
def local(time: datetime | None) -> str | SafeString:
    """In the viewer's zone, by the page's script; without it in UTC."""
    return display.time(time, "data-local")


@register.filter
def status_badge(status: str) -> SafeString:
    return badge(status)


@register.simple_tag
def progress(execution: Execution) -> str | SafeString:
    return display.progress(execution)


@register.simple_tag
def short_id(identifier: Any) -> SafeString:
    """The id's beginning; the button copies all of it."""
    return format_html(
        '<code title="{0}">{1}</code> <button type="button" class="copy" data-copy="{0}" '
        'aria-label="Copy the id {1}">Copy</button>',
        identifier,
        short(identifier),
    )


@register.filter
def waited(execution: Execution) -> timedelta:
    """From creation until a worker began, the end, or now."""
    until: datetime = execution.started_at or execution.end_date or timezone.now()
    start: datetime = execution.start_date
    return max(until - start, timedelta())


@register.filter
def ran(execution: Execution) -> timedelta | None:
    if execution.started_at is None:
        return None
    until: datetime = execution.end_date or timezone.now()
    start: datetime = execution.started_at
    return max(until - start, timedelta())
