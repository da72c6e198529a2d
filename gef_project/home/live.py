"""What the admin's pages hear of new rows of the ledger, as server-sent events for the user of the session.

One event says what some hundred rows have changed: the counts now, and which executions. Who comes back after
a long time is told only that, since its page has to be read again anyway.
"""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from status import server_sent_events as sse
from status.feed import BATCH, Row, feed, rows_after
from status.models import StatusLog
from status.states import Status, count_field

MOST_BEHIND = 5_000  # rows

_COUNTS = {name: f"executions_{name}" for name in [*(status.lower() for status in Status), "active"]}


def may_listen(user: Any) -> bool:
    return any(
        user.has_perm(permission) for permission in ("executions.view_execution", "status.view_statuslog")
    )


def live_view(request: HttpRequest) -> HttpResponseBase:
    """``after``, or ``Last-Event-ID``, is the id of the last row that the page knows."""
    if not may_listen(request.user):
        raise PermissionDenied
    newest = StatusLog.objects.newest()
    after = _known(request, newest.pk)
    beginning = b""
    if not newest.pk - MOST_BEHIND <= after <= newest.pk or after + 1 < StatusLog.objects.earliest("id").pk:
        after, beginning = newest.pk, _missed(newest)
    response: HttpResponseBase
    if isinstance(request, ASGIRequest) and request.method == "GET":
        reader = sse.Reader(request.session.get_expiry_date().timestamp(), lambda: _may_still_listen(request))
        response = StreamingHttpResponse(_stream(beginning, reader, after))
    else:  # without an event loop: what there is; the browser comes back
        rows = rows_after(after, BATCH)
        response = HttpResponse(sse.STREAM_START + beginning + (digest(rows) if rows else b""))
    response["Content-Type"] = "text/event-stream"
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # has nginx pass on every event at once
    return response


def digest(rows: list[Row]) -> bytes:
    """One event for all of the rows."""
    read = [json.loads(row.json) for row in rows]
    data = {
        "counts": {name: read[-1][column] for name, column in _COUNTS.items()},
        "created": sum(row["status_from"] is None and row["status_to"] is not None for row in read),
        "changed": list({row["execution_id"]: None for row in read if row["execution_id"]}),
    }
    return sse.event(Row(rows[-1].id, json.dumps(data).encode()))


def _missed(newest: StatusLog) -> bytes:
    counts = {status.lower(): getattr(newest, count_field(status)) for status in Status}
    data = {"counts": counts | {"active": newest.executions_active}}
    return b"event: missed\n" + sse.event(Row(newest.pk, json.dumps(data).encode()))


async def _stream(beginning: bytes, reader: sse.Reader, after: int) -> Any:
    if beginning:
        yield beginning
    async for part in sse.events(feed, reader, after, digest):
        yield part


def _known(request: HttpRequest, newest: int) -> int:
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else newest


def _may_still_listen(request: HttpRequest) -> bool:
    """Whether the session goes on, and its user still may."""
    if not request.session.exists(request.session.session_key or ""):
        return False
    user = get_user_model().objects.filter(pk=request.user.pk, is_active=True, is_staff=True).first()
    return user is not None and may_listen(user)
