"""The feed over HTTP: one response that waits for rows, or a stream of server-sent events."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterable

from django.db import Error

from .feed import BATCH, Feed, Row

HEARTBEAT = 15.0  # seconds between two comments, and between two checks of the client's permission
RECONNECT = 1000  # milliseconds that a client waits before it reconnects

STREAM_START = f"retry: {RECONNECT}\n\n".encode()
KEEP_ALIVE = b":\n\n"


class Reader:
    """A client, and until when it may read.

    Args:
        expires: a Unix time.
        may_read: whether the client still has permission; it makes a query.
    """

    def __init__(self, expires: float, may_read: Callable[[], bool]) -> None:
        self._expires = expires
        self._may_read = may_read

    def left(self, most: float) -> float:
        """The seconds until then, but no more than ``most``."""
        return max(min(most, self._expires - time.time()), 0.0)

    async def still_may(self, feed: Feed) -> bool:
        if not self.left(1.0):
            return False
        try:
            return await feed.read(self._may_read)
        except Error:
            return True  # without the database there are no rows to read either


def page(rows: Iterable[Row], per_page: int, total: int) -> bytes:
    data = b",".join(row.json for row in rows)
    return b'{"data":[%b],"page":1,"per_page":%d,"total":%d}' % (data, per_page, total)


def event(row: Row) -> bytes:
    return b"id: %d\ndata: %b\n\n" % row


def last_event(code: str, detail: str) -> bytes:
    """Says why the stream ends. It has no id, so that the client reconnects with that of the last row."""
    return f"event: end\ndata: {json.dumps({'code': code, 'detail': detail})}\n\n".encode()


async def long_poll_page(
    feed: Feed, reader: Reader, after: int, per_page: int, wait: float
) -> AsyncIterator[bytes]:
    rows = await feed.after(after, per_page, reader.left(wait))
    if rows and not await reader.still_may(feed):
        rows = []
    yield page(rows, per_page, len(rows))


def each_row(rows: list[Row]) -> bytes:
    return b"".join(map(event, rows))


async def events(
    feed: Feed, reader: Reader, after: int, write: Callable[[list[Row]], bytes] = each_row
) -> AsyncIterator[bytes]:
    """The stream, without end.

    Args:
        write: makes events of the rows that came together; the last one's id must be the last row's.
    """
    yield STREAM_START
    checked = time.monotonic()
    while True:
        rows = await feed.after(after, BATCH, reader.left(HEARTBEAT))
        if time.monotonic() - checked >= HEARTBEAT or not reader.left(1.0):
            checked = time.monotonic()
            if not await reader.still_may(feed):
                yield last_event("token_expired", "The access token is no longer good.")
                return
        if rows and rows[0].id != after + 1:
            yield last_event("gone", f"The rows up to {rows[0].id - 1} are no longer kept.")
            return
        if feed.ending:
            yield last_event("restarting", "The server is being restarted.")
            return
        yield write(rows) if rows else KEEP_ALIVE
        after = rows[-1].id if rows else after
