"""What a process prints, as lines of its execution's log."""

import codecs
import os
import selectors
import time
from contextlib import suppress
from typing import IO, cast

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from gef_project.common.retrying import retry_patiently

from .models import ExecutionLog, Level
from .process import Process

CHUNK = 65_536  # bytes read at once
LONGEST = 9_000  # characters of one log line; a longer one is cut into several
STORE_EVERY = 0.5  # seconds
STORE_AT = 1_000  # lines that wait


class Lines:
    """Cuts a stream of bytes into lines of text that PostgreSQL can store."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now; no data means that the stream has ended."""
        text = self._rest + self._decoder.decode(data, final=not data).replace("\0", "\\x00")
        *lines, self._rest = text.split("\n")
        if not data and self._rest:
            lines.append(self._rest)
            self._rest = ""
        pieces = [piece for line in lines for piece in _cut(line.removesuffix("\r"))]
        while len(self._rest) > LONGEST:
            pieces.append(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]
        return pieces


def _cut(line: str) -> list[str]:
    return [line[start : start + LONGEST] for start in range(0, len(line), LONGEST)] or [""]


class Output:
    """Reads both pipes of a process as it prints, and stores what they say."""

    def __init__(self, execution_id: object, process: Process) -> None:
        self._execution_id = execution_id
        self._waiting: list[ExecutionLog] = []
        self._room = settings.EXECUTION_LOG_LINES
        self._stored_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self.last_error = ""
        for pipe, level in ((process.stdout, Level.INFO), (process.stderr, Level.ERROR)):
            stream = cast(IO[bytes], pipe)
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, (Lines(), level))

    def read(self, timeout: float) -> bool:
        """Wait for output until ``timeout`` (seconds), and store it when it is time.

        Returns:
            Whether there was any.
        """
        ready = self._selector.select(timeout)
        for key, _ in ready:
            lines, level = key.data
            data = os.read(key.fd, CHUNK)
            for text in lines.feed(data):
                self._add(text, level)
            if not data:
                self._selector.unregister(key.fileobj)
                cast(IO[bytes], key.fileobj).close()
        if len(self._waiting) >= STORE_AT or time.monotonic() - self._stored_at >= STORE_EVERY:
            self.store()
        return bool(ready)

    def close(self) -> None:
        """Read what is there still; a process that left the group may keep a pipe open for ever."""
        deadline = time.monotonic() + 1
        while self._selector.get_map() and self.read(0) and time.monotonic() < deadline:
            pass
        for key in list(self._selector.get_map().values()):
            cast(IO[bytes], key.fileobj).close()
        self._selector.close()
        self.store()

    @retry_patiently
    def store(self) -> None:
        self._stored_at = time.monotonic()
        if not self._waiting:
            return
        with suppress(IntegrityError):  # the execution has been deleted; its run is about to be stopped
            ExecutionLog.objects.bulk_create(self._waiting)
        self._waiting = []

    def _add(self, text: str, level: Level) -> None:
        if level == Level.ERROR and text.strip():
            self.last_error = text
        self._room -= 1
        if self._room == 0:
            text, level = "The log is full; further output is dropped.", Level.WARNING
        if self._room >= 0:
            self._waiting.append(
                ExecutionLog(
                    execution_id=self._execution_id, text=text, level=level, register_date=timezone.now()
                )
            )
