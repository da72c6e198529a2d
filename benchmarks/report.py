"""The one table: what each row says, and where it was measured."""

import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from django.conf import settings
from django.db import connection

from benchmarks.measurement import Figures
from gef_project.devserver.postgresql.server import BIN

RESULTS = Path(__file__).parent / "RESULTS.md"

HEAD = """\
| row | what | median | least to most | ratio | of | bar | reached | unflushed | its ratio | processor, µs |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def keep(table: str) -> None:
    """Put the table into RESULTS.md, before what other commands have printed there."""
    _, mark, others = RESULTS.read_text().partition("\n## ")
    RESULTS.write_text(table.rstrip() + "\n" + mark + others)


@dataclass(frozen=True)
class Line:
    """One line of the table; ``bar`` is the least that the ratio must be."""

    row: int
    what: str
    median: str
    spread: str = ""
    ratio: str = ""
    of: str = ""
    bar: str = ""
    reached: str = ""
    unflushed: str = ""
    unflushed_ratio: str = ""
    processor: str = ""

    def __str__(self) -> str:
        cells = [self.row, self.what, self.median, self.spread, self.ratio, self.of]
        cells += [self.bar, self.reached, self.unflushed, self.unflushed_ratio, self.processor]
        return f"| {' | '.join(map(str, cells))} |"


OURS = "update_status / this"


def rate(
    row: int,
    what: str,
    figures: Figures,
    of: str = "",
    pair: tuple[Figures, Figures] | None = None,
    bar: float | None = None,
) -> Line:
    """A line of times a second; ``of`` says which the pair is whose ratio is shown."""
    ratio, unflushed_ratio = (
        pair[0].ratio_to(pair[1], flushed=flushed) if pair else None for flushed in (True, False)
    )
    rates, unflushed = figures.rates(flushed=True), figures.rates(flushed=False)
    client, server = (
        median(getattr(each, side) for each in figures.flushed) for side in ("client", "server")
    )
    return Line(
        row,
        what,
        f"{median(rates):,.0f}/s",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        times(ratio),
        of,
        f"≥ {times(bar)}" if bar else "",
        reached(ratio, bar),
        f"{median(unflushed):,.0f}/s" if unflushed else "",
        times(unflushed_ratio),
        f"{client:,.0f} + {server:,.0f}" if server else "",
    )


def duration(
    row: int,
    what: str,
    seconds: list[float],
    of: str = "",
    pair: tuple[list[float], list[float]] | None = None,
    bar: float | None = None,
) -> Line:
    """A line of milliseconds; the ratio is how many times as fast the pair's first is as its second."""
    ratio = median(its / mine for mine, its in zip(*pair, strict=True)) if pair else None
    return Line(
        row,
        what,
        f"{median(seconds) * 1000:,.2f} ms",
        f"{min(seconds) * 1000:,.2f} to {max(seconds) * 1000:,.2f}",
        times(ratio),
        of,
        bar=f"≥ {times(bar)}" if bar else "",
        reached=reached(ratio, bar),
    )


def times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}×" if ratio >= 20 else f"{ratio:.2f}×"


def reached(ratio: float | None, bar: float | None) -> str:
    if ratio is None or bar is None:
        return ""
    return "yes" if ratio >= bar else "**no**"


def machine() -> str:
    """Everything beside the code that the figures depend on, as Markdown."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('fsync'), current_setting('shared_buffers')")
        server, fsync, buffers = cursor.fetchone()
    packages = ["Django", "psycopg", "djangorestframework", "gunicorn", "django-fsm-2", "django-fsm-log"]
    packages += ["django-pghistory", "django-simple-history"]
    memory = psutil.virtual_memory().total / 2**30
    facts = {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Command": " ".join(["python -m benchmarks.run", *sys.argv[1:]]),
        "Machine": f"{psutil.cpu_count()} × {_processor()}, {memory:.0f} GiB of memory",
        "System": f"{platform.system()} {platform.release()}",
        "Disk": f"{_fsync_ms():.2f} ms for one write of 8 kB to be on it (pg_test_fsync, fdatasync)",
        "Server": f"{server.split(' on ')[0]}, embedded, fsync {fsync}, shared_buffers {buffers}",
        "Python": platform.python_version(),
        "Packages": ", ".join(f"{package} {version(package)}" for package in packages),
    }
    return "".join(f"- {name}: {fact}\n" for name, fact in facts.items())


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _fsync_ms() -> float:
    file = settings.VAR_DIR / "fsync.test"
    command = [BIN / "pg_test_fsync", "--secs-per-test=2", f"--filename={file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as testing:
        assert testing.stdout
        for line in testing.stdout:
            if found := re.search(r"fdatasync\s+[\d.]+ ops/sec\s+(\d+) usecs/op", line):
                testing.terminate()  # what it would test next is not asked for
                return int(found[1]) / 1000
    raise RuntimeError("pg_test_fsync does not say how long fdatasync takes.")


def markdown(facts: str, lines: Iterable[Line]) -> str:
    rows = "".join(f"{line}\n" for line in lines)
    return f"# Benchmarks\n\nMade by `make bench`.\n\n{facts}\n{NOTES}\n{HEAD}{rows}"


NOTES = """\
Every figure is the median of interleaved rounds; a ratio is the median of the rounds' ratios, and says how
many times as fast one is as the other. A transition is one call that changes one status, in a transaction of
its own that is on the disk before the call returns. "Unflushed" is the same without waiting for the disk
(`synchronous_commit = off`), which shows what the rest costs where the disk hides it. "Processor" is the
processor time of one transition, in the client and in the server's process.
"""
