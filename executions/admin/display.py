"""What an execution's page shows of things that may be megabytes: as much as a page bears."""

import json
from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Left, Length
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.models import Execution

ROWS = 200
DOCUMENT = 50_000  # characters
LINE = 2_000  # characters


def hours(duration: timedelta) -> str:
    """As H:MM:SS; a day and more are hours too."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def document(execution: Execution, column: str) -> SafeString:
    """The JSON of the column, indented; a long one as it is stored, cut by the database."""
    text = Cast(F(column), TextField())
    row = Execution.objects.annotate(head=Left(text, DOCUMENT), length=Length(text))
    head, length = row.values_list("head", "length").get(pk=execution.pk)
    if length > DOCUMENT:
        note = f"The first {DOCUMENT:,} of {length:,} characters; the API gives all of them."
        return format_html('<p>{}</p><pre class="document">{}</pre>', note, head)
    return format_html('<pre class="document">{}</pre>', indented(head))


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
