"""What waits for new rows of the ledger in a web process: any number of clients, one look at the table.

While somebody waits, one task asks for the rows after the last one that it knows, by one index look-up, a few
times a second, keeps the newest of them, and wakes everybody. Who lags behind further than that reads what
it has missed by itself. All reading is done by one thread on one connection; who waits holds neither.

Since ids have no gaps and follow the commits, nobody misses a row, or sees one twice.
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

INTERVAL = 0.15  # seconds between two looks
BATCH = 500  # rows
KEPT = 5_000  # rows

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Row(NamedTuple):
    id: int
    json: bytes  # as the API writes it


def rows_after(log_id: int, limit: int) -> list[Row]:
    logs = StatusLog.objects.after(log_id)[:limit]
    return [Row(row["id"], encode_row(row)) for row in serialize_rows(logs)]


class Feed:
    """Belongs to the event loop of its process."""

    def __init__(self) -> None:
        self.ending = False  # the process is: whoever waits is to leave
        self._reader = ThreadPoolExecutor(1, "feed")
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._first: int | None = None  # the id before the first of the rows
        self._rows: deque[Row] = deque()

    def end(self) -> None:
        self.ending = True
        self._wake()

    async def read(self, question: Callable[[], T]) -> T:
        """Ask the database in the reader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, _on_own_connection, question)

    async def after(self, log_id: int, limit: int, patience: float) -> list[Row]:
        """The rows after that one, oldest first, as soon as there are any; none after ``patience`` seconds,
        or when the process ends. A database that is away is waited for."""
        with self._one_more():
            try:
                async with asyncio.timeout(patience):
                    while True:
                        news = self._news
                        rows = await self._known_after(log_id, limit)
                        if rows or self.ending:
                            return rows
                        await news.wait()
            except TimeoutError:
                return []

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        self._waiting += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._waiting -= 1

    async def _known_after(self, log_id: int, limit: int) -> list[Row]:
        if self._first is not None and log_id >= self._first:
            place = log_id - self._first
            return list(islice(self._rows, place, place + limit))
        try:
            return await self.read(lambda: rows_after(log_id, limit))
        except Error:
            return []  # the next look wakes everybody

    async def _look(self) -> None:
        away = False
        while self._waiting and not self.ending:
            try:
                more = await self._look_once()
            except Error as error:
                if not away:
                    logger.warning("The change feed waits for the database: %s", error)
                away = True
                self._forget()
                more = False
            else:
                away = False
            if not more:
                await asyncio.sleep(INTERVAL)
        self._forget()

    async def _look_once(self) -> bool:
        """Take in what is new; whether there may be more at once."""
        if self._first is None:
            self._first = await self.read(lambda: StatusLog.objects.newest().pk)
            self._wake()  # to read what was written before
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

    def _forget(self) -> None:
        self._first = None
        self._rows.clear()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _on_own_connection(question: Callable[[], T]) -> T:
    try:
        return question()
    except Error:
        connection.close()  # the next question finds out whether there is another
        raise


feed = Feed()
