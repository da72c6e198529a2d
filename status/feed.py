"""The feed of new rows of the status log: one poll of the table for all clients that wait in a web process.

While clients wait, one task polls for the rows after the last one that it knows, by one index look-up a few
times a second. It keeps the newest rows and wakes the clients. A client that is further behind reads the rows
that it has missed by itself. One thread with one connection makes all queries; waiting clients hold neither.

Since ids have no gaps and follow the order of commits, no client misses a row or sees one twice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple, TypeVar

from django.db import Error, connection

from .models import StatusLog
from .row_json import encode_row, serialize_rows

INTERVAL = 0.15  # seconds between two polls
BATCH = 500  # rows
KEPT = 5_000  # rows in memory

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Row(NamedTuple):
    id: int
    json: bytes  # as the API writes it


def rows_after(log_id: int, limit: int) -> list[Row]:
    logs = StatusLog.objects.after(log_id)[:limit]
    return [Row(row["id"], encode_row(row)) for row in serialize_rows(logs)]


class Feed:
    """Rows as soon as they are committed. It belongs to the event loop of its process."""

    def __init__(self) -> None:
        self.ending = False  # whether the process is ending, so that clients must not wait
        self._reader = ThreadPoolExecutor(1, "feed")
        self._waiting = 0
        self._polling: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._first: int | None = None  # the id before the first row in memory
        self._rows: deque[Row] = deque()

    def end(self) -> None:
        self.ending = True
        self._wake()

    async def read(self, query: Callable[[], T]) -> T:
        """Make a query in the reader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, _reconnecting, query)

    async def after(self, log_id: int, limit: int, patience: float) -> list[Row]:
        """Wait for the rows after the one with this id.

        While the database is away, it waits too.

        Returns:
            At most ``limit`` rows, oldest first; none after ``patience`` seconds or when the process ends.
        """
        with self._counted_as_waiting():
            try:
                async with asyncio.timeout(patience):
                    while True:
                        news = self._news
                        rows = await self._rows_after(log_id, limit)
                        if rows or self.ending:
                            return rows
                        await news.wait()
            except TimeoutError:
                return []

    @contextmanager
    def _counted_as_waiting(self) -> Iterator[None]:
        self._waiting += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._waiting -= 1

    async def _rows_after(self, log_id: int, limit: int) -> list[Row]:
        if self._first is not None and log_id >= self._first:
            place = log_id - self._first
            return list(islice(self._rows, place, place + limit))
        try:
            return await self.read(lambda: rows_after(log_id, limit))
        except Error:
            return []  # the next poll wakes everybody

    async def _poll(self) -> None:
        away = False
        while self._waiting and not self.ending:
            try:
                more = await self._poll_once()
            except Error as error:
                if not away:
                    logger.warning("The change feed waits for the database: %s", error)
                away = True
                self._reset()
                more = False
            else:
                away = False
            if not more:
                await asyncio.sleep(INTERVAL)
        self._reset()

    async def _poll_once(self) -> bool:
        """Read new rows; returns whether there may be more already."""
        if self._first is None:
            self._first = await self.read(lambda: StatusLog.objects.newest().pk)
            self._wake()  # to read the rows from before
            return True
        last = self._first + len(self._rows)
        rows = await self.read(lambda: rows_after(last, BATCH))
        if rows:
            self._rows.extend(rows)
            while len(self._rows) > KEPT:
                self._rows.popleft()
                self._first += 1
            self._wake()
        return len(rows) == BATCH

    def _reset(self) -> None:
        self._first = None
        self._rows.clear()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _reconnecting(query: Callable[[], T]) -> T:
    try:
        return query()
    except Error:
        connection.close()  # so that the next query makes a new one
        raise


feed = Feed()
