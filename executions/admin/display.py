"""What an execution's page shows of things that may be megabytes: as much as a page bears."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Left, Length
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.models import Execution
from status.states import Status

ROWS = 200
DOCUMENT = 50_000  # characters
LINE = 2_000  # characters


def span(duration: timedelta | None) -> str:
    """As people say it, in two units at most; empty for none."""
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, size, smaller, part in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} {int(seconds % size // part)} {smaller}"
    raise AssertionError("a minute is the smallest")


_UNITS = [("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)]


def time(moment: datetime | None, kind: str) -> str | SafeString:
    """An element that ``admin.js`` shows in the viewer's zone; empty for none.

    Args:
        kind: ``data-relative`` or ``data-local``.
    """
    if moment is None:
        return "–"
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html('<time datetime="{}" {}>{}</time>', moment.isoformat(), kind, text)


def progress(execution: Execution) -> str | SafeString:
    """Of one that runs, or that stopped on the way; it means nothing of the others."""
    stopped = execution.outcome in {Status.FAILED, Status.CANCELLED} and 0 < execution.progress < 100
    if execution.status != Status.RUNNING and not stopped:
        return "–"
    return format_html(
        '<span class="progress progress-{0}">'
        '<progress max="100" value="{1}" aria-label="Progress"></progress> {1}%</span>',
        execution.status.lower(),
        execution.progress,
    )


def document(execution: Execution, column: str) -> SafeString:
    """The JSON of the column, indented; a long one as it is stored, cut by the database."""
    text = Cast(F(column), TextField())
    row = Execution.objects.annotate(head=Left(text, DOCUMENT), length=Length(text))
    head, length = row.values_list("head", "length").get(pk=execution.pk)
    if length > DOCUMENT:
        note = f"The first {DOCUMENT:,} of {length:,} characters; the API gives all of them."
        return format_html('<p>{}</p><pre class="document" tabindex="0">{}</pre>', note, head)
    return format_html('<pre class="document" tabindex="0">{}</pre>', indented(head))


def indented(text: str) -> str:
    try:
        indented = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except RecursionError:
        return text
    # A lone surrogate is legal in JSON, and not in a page.
    return indented.encode("utf-8", "backslashreplace").decode()


def newest(rows: QuerySet[Any]) -> dict[str, Any]:
    """The last of the rows in their order, and whether there are more before them."""
    found = list(rows.order_by("-id")[: ROWS + 1])
    return {"rows": found[:ROWS][::-1], "cut": len(found) > ROWS, "limit": ROWS}


def log_lines(execution: Execution) -> QuerySet[Any]:
    """The run's log lines; ``head`` is the beginning of each."""
    return execution.logs.defer("text").annotate(head=Left("text", LINE), rest=Length("text") - Value(LINE))
