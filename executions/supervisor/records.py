"""The files in which output waits until it is stored: a record a line, in order of arrival."""

import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

CHUNK = 65_536  # bytes read at once
LONGEST = 36_000  # bytes of one record's text; a longer line becomes several records
HEADER = struct.Struct("!cdI")  # stream; time.monotonic(); bytes of the text that follows
STDOUT, STDERR, NOTICE = b"o", b"e", b"n"


def record(stream: bytes, text: bytes) -> bytes:
    return HEADER.pack(stream, time.monotonic(), len(text)) + text


def records(data: bytes) -> Iterator[tuple[bytes, float, bytes, int]]:
    """The whole records at the beginning of ``data``: stream, time, text, and where the record ends."""
    start = 0
    while start + HEADER.size <= len(data):
        stream, at, size = HEADER.unpack_from(data, start)
        end = start + HEADER.size + size
        if end > len(data):
            return
        yield stream, at, data[end - size : end], end
        start = end


class Lines:
    """Cuts what comes from one pipe into lines, and a very long line into pieces of whole characters."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now; no data means that the pipe has ended."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines.append(self._rest)
            self._rest = b""
        if max(map(len, (*lines, self._rest))) <= LONGEST:
            return lines
        pieces = [piece for line in lines for piece in _cut(line)]
        if len(self._rest) > LONGEST:
            *more, self._rest = _cut(self._rest)
            pieces += more
        return pieces


def _cut(line: bytes) -> Iterator[bytes]:
    while len(line) > LONGEST:
        end = LONGEST
        while end > LONGEST - 4 and line[end] & 0xC0 == 0x80:  # inside of a character of UTF-8
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


class Part:
    """A file of records."""

    def __init__(self, name: str) -> None:
        self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.lines = self.size = 0

    def append(self, data: bytes, lines: int = 1) -> None:
        """
        Raises:
            OSError: nothing was written; the disk may be full.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[os.pwrite(self._file, left, self.size + len(data) - len(left)) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)
        self.lines += lines

    def clear(self) -> None:
        os.ftruncate(self._file, 0)
        self.lines = self.size = 0

    def read(self) -> Iterator[bytes]:
        """Record by record."""
        at, data = 0, b""
        while chunk := os.pread(self._file, CHUNK, at):
            at += len(chunk)
            data += chunk
            done = 0
            for *_, end in records(data):
                yield data[done:end]
                done = end
            data = data[done:]

    def sync(self) -> None:
        os.fsync(self._file)


class Output:
    """What a script prints: the beginning and the end of it, each up to half of the limits.

    The file ``output`` grows as the script prints, up to its half. What follows goes to two files which are
    filled in turns; at the end, the last lines are moved from there to ``output``, behind a line that says
    how much is missing. So the disk holds at most twice the limit.
    """

    def __init__(self, lines: int, size: int) -> None:
        self._lines, self._size = lines // 2, size // 2
        self._head = Part("output")
        self._tail: list[Part] = []  # the older one first
        self._dropped_lines = self._dropped_size = 0
        self.error = ""  # why some of it could not be written

    def add(self, stream: bytes, lines: list[bytes]) -> None:
        now = time.monotonic()
        pack = HEADER.pack
        made = [pack(stream, now, len(line)) + line for line in lines]
        data = b"".join(made)
        part = self._tail[1] if self._tail else self._head
        try:
            if self._fits(part, data, len(made)):
                part.append(data, len(made))
                return
            for one in made:
                if not self._tail and self._fits(self._head, one):
                    self._head.append(one)
                else:
                    self._add_to_tail(one)
        except OSError as error:
            self.error = str(error)

    def close(self) -> None:
        """Complete ``output``, on the disk."""
        try:
            self._append_tail()
        except OSError as error:
            self.error = str(error)
        if self.error:
            with suppress(OSError):
                self._head.append(record(NOTICE, f"Output was lost: {self.error}".encode()))
        with suppress(OSError):
            self._head.sync()

    def _append_tail(self) -> None:
        kept = sum(part.lines for part in self._tail)
        size = sum(part.size for part in self._tail)
        skip = 0
        for one in self._read_tail():
            if (
                kept < self._lines and size <= self._size
            ):  # fewer, since the line about the missing ones counts
                break
            kept, size, skip = kept - 1, size - len(one), skip + 1
            self._drop(one)
        if self._dropped_lines:
            text = (
                f"{self._dropped_lines} lines ({self._dropped_size} bytes) are missing here: the log is full."
            )
            self._head.append(record(NOTICE, text.encode()))
        for number, one in enumerate(self._read_tail()):
            if number >= skip:
                self._head.append(one)

    def _add_to_tail(self, one: bytes) -> None:
        if not self._tail:
            self._tail = [Part("output.older"), Part("output.newer")]
        older, newer = self._tail
        if not self._fits(newer, one):
            self._dropped_lines += older.lines
            self._dropped_size += older.size - older.lines * HEADER.size
            older.clear()
            self._tail = [newer, older]
        self._tail[1].append(one)

    def _read_tail(self) -> Iterator[bytes]:
        for part in self._tail:
            yield from part.read()

    def _fits(self, part: Part, data: bytes, lines: int = 1) -> bool:
        return part.lines + lines <= self._lines and part.size + len(data) <= self._size

    def _drop(self, one: bytes) -> None:
        self._dropped_lines += 1
        self._dropped_size += len(one) - HEADER.size
