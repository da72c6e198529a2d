"""Statuses as coloured badges; ``common/admin.css`` has the colours."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from status.models import StatusLog
from status.states import Status


def badge(status: str) -> SafeString:
    return _badge(status, Status(status).label)


def transition(log: StatusLog) -> SafeString:
    """From → to; a creation and a deletion have a word on their empty side, a snapshot has no sides."""
    if not log.status_from and not log.status_to:
        return _badge("snapshot", "Snapshot")
    return format_html(
        '<span class="status-transition">{} → {}</span>',
        badge(log.status_from) if log.status_from else "created",
        badge(log.status_to) if log.status_to else "deleted",
    )


def _badge(name: str, label: str) -> SafeString:
    return format_html('<span class="status-badge status-{}">{}</span>', name.lower(), label)
