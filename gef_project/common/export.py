"""Tables as files, written while the rows are read, so that any number of rows needs constant memory."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.drainage import get_override
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from .consistent_read import Rows, Snapshot

CSV, JSON_LINES = "text/csv", "application/x-ndjson"
POSITION_HEADER = "X-Status-Log-Id"
ROWS_AT_ONCE = 500
PIECE = 64 * 1024  # bytes
# A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

HOW_EXPORTS_WORK = f"""
As CSV or, with `format=jsonl`, as one JSON object a line. All of it is from one point in time: the header
`{POSITION_HEADER}` has the `id` of the newest row of the status log then, so what came later are the rows
after that `id`. It is sent while it is read; if reading fails, the connection is cut, so an answer that ends
as HTTP says is whole.

CSV is made for spreadsheets: in UTF-8, with a header row, and a text that a spreadsheet would take for a
formula, since it begins with `=`, `+`, `-`, `@`, a tab or a carriage return, has an apostrophe before it.
JSON lines have every text to the letter.
"""


class FormatSerializer(serializers.Serializer):
    format = serializers.ChoiceField(choices=["csv", "jsonl"], default="csv", help_text="The kind of file.")


def position_of(status: int = 200) -> OpenApiParameter:
    """The header, for the schema."""
    description = "The id of the newest row of the status log in this export."
    return OpenApiParameter(
        POSITION_HEADER, int, OpenApiParameter.HEADER, description=description, response=[status]
    )


def files_of(row: type[serializers.Serializer]) -> dict[Any, Any]:
    """The responses, for the schema; the serializer has an example."""
    [shown] = get_override(row, "examples")
    text = b"".join(_csv_lines(list(shown.value), iter([[tuple(shown.value.values())]]))).decode()
    return {
        (200, CSV): OpenApiResponse(str, examples=[OpenApiExample("example", text)]),
        (200, JSON_LINES): OpenApiResponse(row, examples=[OpenApiExample("one line", shown.value)]),
    }


class AnyAccept(BaseContentNegotiation):
    """The format is a parameter; errors are JSON whatever the client would rather have."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class ExportView(APIView):
    """Answers with every row of a queryset; ``name`` begins the file's name."""

    content_negotiation_class = AnyAccept
    name: str

    def export(
        self,
        rows: QuerySet[Any, Any],
        columns: Mapping[str, Any],
        format: str,
        *,
        log: QuerySet[Any, Any],
        at_once: int = ROWS_AT_ONCE,
    ) -> HttpResponseBase:
        """A file of these rows; see :func:`export`."""
        request = self.request._request
        return export(request, rows, columns, format, name=self.name, log=log, at_once=at_once)


class ExportResponse(StreamingHttpResponse):
    """Closes its snapshot whenever it ends, even before it has begun."""

    def __init__(self, parts: Any, snapshot: Snapshot, **options: Any) -> None:
        super().__init__(parts, **options)
        self._snapshot = snapshot

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._snapshot.close()


def export(
    request: HttpRequest,
    rows: QuerySet[Any, Any],
    columns: Mapping[str, Any],
    format: str,
    *,
    name: str,
    log: QuerySet[Any, Any],
    at_once: int = ROWS_AT_ONCE,
) -> HttpResponseBase:
    """A file of these rows.

    Args:
        columns: the names in the file, and the field or expression of each.
        format: ``csv`` or ``jsonl``.
        name: how the file's name begins.
        log: the status log, whose newest id in the same snapshot becomes the header.
        at_once: rows that are read at a time.
    """
    write, content_type = FORMATS[format]
    snapshot = Snapshot()
    position = snapshot.newest_id(log)
    batches = snapshot.read(rows.values_list(*columns.values()), at_once)
    parts = _in_pieces(write(list(columns), batches), snapshot)
    headers = {
        POSITION_HEADER: str(position),
        "Content-Disposition": f'attachment; filename="{name}-{position}.{format}"',
    }
    return ExportResponse(_readable(parts, request), snapshot, content_type=content_type, headers=headers)


def _readable(parts: Iterator[bytes], request: HttpRequest) -> Iterator[bytes] | AsyncIterator[bytes]:
    """An iterator of the kind that the web server reads."""
    if request.method == "HEAD":
        return iter(())
    return _in_other_threads(parts) if isinstance(request, ASGIRequest) else parts


def _in_pieces(parts: Iterator[bytes], snapshot: Snapshot) -> Iterator[bytes]:
    """The parts, joined to pieces large enough to send."""
    joined = bytearray()
    try:
        for part in parts:
            joined += part
            if len(joined) >= PIECE:
                yield bytes(joined)
                joined.clear()
        if joined:
            yield bytes(joined)
    finally:
        snapshot.close()  # not every server closes a failed answer


async def _in_other_threads(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """For an event loop, where Django itself would collect all parts before it sends any."""
    while part := await _uncancelled(asyncio.to_thread(next, parts, b"")):
        yield part


async def _uncancelled(read: Coroutine[Any, Any, bytes]) -> bytes:
    """Wait for the thread even when the client has gone: the snapshot must not be closed while it is read."""
    reading = asyncio.ensure_future(read)
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait({reading})
        raise


def _csv_lines(names: list[str], batches: Iterator[Rows]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    yield buffer.getvalue().encode()
    for rows in batches:
        buffer.seek(buffer.truncate(0))
        writer.writerows([_cell(value) for value in row] for row in rows)
        yield buffer.getvalue().encode()


def _json_lines(names: list[str], batches: Iterator[Rows]) -> Iterator[bytes]:
    for rows in batches:
        lines = [json.dumps(dict(zip(names, row, strict=True)), default=_json_value) for row in rows]
        yield "".join(f"{line}\n" for line in lines).encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value)
    elif isinstance(value, datetime | timedelta | UUID):
        value = _json_value(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json_value(value: Any) -> str | float:
    match value:
        case datetime():
            return value.strftime(str(api_settings.DATETIME_FORMAT))
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
    raise TypeError(f"There is no JSON for {value!r}.")


FORMATS = {
    "csv": (_csv_lines, f"{CSV}; charset=utf-8; header=present"),
    "jsonl": (_json_lines, JSON_LINES),
}
