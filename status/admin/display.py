"""Statuses as coloured badges, and the counts of a row as a bar; ``common/admin.css`` has the colours."""

from datetime import UTC

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from status.models import StatusLog
from status.states import Status, count_field

# The periodic task of old versions did not count these.
NOT_RECORDED = frozenset({Status.PENDING, Status.CANCELLED})
BAR = 120  # the units of a bar's width
LEAST = 3  # of them for a single execution, so that it can be seen beside a million


def badge(status: str) -> SafeString:
    return _badge(status, Status(status).label)


def transition(log: StatusLog) -> SafeString:
    """From → to; a creation and a deletion have a word on their empty side, a snapshot has no sides."""
    if not log.status_from and not log.status_to:
        return _badge("snapshot", _("Snapshot"))
    return format_html(
        '<span class="status-transition">{} → {}</span>',
        badge(log.status_from) if log.status_from else _("created"),
        badge(log.status_to) if log.status_to else _("deleted"),
    )


def shown_time(log: StatusLog) -> SafeString:
    """In UTC, to the millisecond."""
    time = log.timestamp.astimezone(UTC)
    text = f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} UTC"
    return format_html('<time datetime="{}">{}</time>', time.isoformat(), text)


def counts_of(log: StatusLog) -> list[tuple[Status, int | None]]:
    """How many executions were in each status after the row; None where that was not recorded."""
    return [
        (status, None if log.is_periodic and status in NOT_RECORDED else getattr(log, count_field(status)))
        for status in Status
    ]


def counts_bar(log: StatusLog) -> SafeString:
    """The six counts side by side, with the numbers on hover and for those who do not see it."""
    counts = counts_of(log)
    numbers = ", ".join(
        f"{status.label} {_('not recorded') if count is None else f'{count:,}'}" for status, count in counts
    )
    present = [(status, count) for status, count in counts if count]
    total = sum(count for _status, count in present)
    shares = [max(LEAST, BAR * count / total) for _status, count in present]
    parts, start = [], 0.0
    for (status, _count), share in zip(present, shares, strict=True):
        width = BAR * share / sum(shares)
        parts.append((status.lower(), f"{start:.2f}", f"{width:.2f}"))
        start += width
    return format_html(
        '<svg class="counts-bar" role="img" aria-label="{0}" viewBox="0 0 {1} 10" width="{1}" height="10"'
        ' preserveAspectRatio="none"><title>{0}</title>'
        '<rect class="fill-none" width="{1}" height="10"/>{2}</svg>',
        numbers,
        BAR,
        format_html_join("", '<rect class="fill-{}" x="{}" width="{}" height="10"/>', parts),
    )


def _badge(name: str, label: str) -> SafeString:
    return format_html('<span class="status-badge status-{}">{}</span>', name.lower(), label)
