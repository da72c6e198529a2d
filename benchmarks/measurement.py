"""Measure how often per second Django, psycopg or pgbench can do something, in interleaved rounds."""

import os
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple, Protocol, TypeVar

import psutil
from django.db import connection
from tqdm import tqdm

from benchmarks.datasets import Dataset, execute, use
from gef_project.devserver.postgresql.server import BIN
from status.tests.concurrency import fork, in_processes

PATIENCE = 120  # seconds that processes wait for each other

# Does it once. Each process makes its own before the measurement starts.
Step = Callable[[], object]
T = TypeVar("T")


class Sample(NamedTuple):
    """The rate per second, and the processor time of one step on either side, in microseconds."""

    rate: float
    client: float
    server: float


@dataclass
class Figures:
    """One sample for each round: with every commit flushed to disk before it returns, and without."""

    flushed: list[Sample] = field(default_factory=list)
    unflushed: list[Sample] = field(default_factory=list)

    def rates(self, *, flushed: bool) -> list[float]:
        return [sample.rate for sample in (self.flushed if flushed else self.unflushed)]

    def ratio_to(self, other: "Figures", *, flushed: bool) -> float:
        """The median over the rounds of this rate divided by that of ``other``."""
        pairs = zip(self.rates(flushed=flushed), other.rates(flushed=flushed), strict=True)
        return median(mine / its for mine, its in pairs)


class Measurable(Protocol):
    def sample(self, seconds: float, *, flushed: bool) -> Sample: ...


def in_rounds(
    cells: Mapping[str, Measurable], rounds: int, seconds: float, *, title: str
) -> dict[str, Figures]:
    """Measure every cell once in each round, so that other load on the machine affects all of them.

    Every second round has the reverse order, so that growing load favours none.
    """
    figures = {name: Figures() for name in cells}
    turns = list(cells.items())
    with tqdm(total=rounds * len(cells) * 2, desc=title, mininterval=1) as progress:
        for _ in range(rounds):
            for name, cell in turns:
                progress.set_postfix_str(name)
                figures[name].flushed.append(cell.sample(seconds, flushed=True))
                progress.update()
                figures[name].unflushed.append(cell.sample(seconds, flushed=False))
                progress.update()
            turns.reverse()
    return figures


@dataclass(frozen=True)
class Processes:
    """Each process calls ``prepare(database, number, processes)`` and then repeats the step it returned."""

    database: Dataset
    count: int
    prepare: Callable[[Dataset, int, int], Step]

    def sample(self, seconds: float, *, flushed: bool) -> Sample:
        start_together = fork.Barrier(self.count, timeout=PATIENCE)

        def work(number: int) -> Sample:
            execute(f"SET synchronous_commit = {'on' if flushed else 'off'}")
            step = self.prepare(self.database, number, self.count)
            for _ in range(10):  # what is made once is made: prepared statements, caches
                step()
            start_together.wait()
            return _repeat(step, seconds)

        use(self.database.name)
        samples = in_processes(self.count, work)
        return Sample(
            sum(sample.rate for sample in samples),
            mean(sample.client for sample in samples),
            mean(sample.server for sample in samples),
        )


def _repeat(step: Step, seconds: float) -> Sample:
    server = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")

    def server_time() -> float:
        return int(server.read_text().split()[0]) / 1e9

    served, used = server_time(), time.process_time()
    start = now = time.perf_counter()
    times = 0
    while now - start < seconds:
        step()
        times += 1
        now = time.perf_counter()
    micro = 1e6 / times
    return Sample(
        times / (now - start), (time.process_time() - used) * micro, (server_time() - served) * micro
    )


@dataclass(frozen=True)
class Pgbench:
    """The same script by every client, as prepared statements."""

    database: Dataset
    count: int
    script: str

    def sample(self, seconds: float, *, flushed: bool) -> Sample:
        use(self.database.name)
        connection.ensure_connection()
        server = psutil.Process(connection.connection.info.backend_pid).parent()
        assert server
        served, used = server.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
        output = self._run(seconds, flushed=flushed)
        time.sleep(0.1)  # until the server has taken note that the clients' processes are gone
        served_now, used_now = server.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
        rate, times = (
            re.search(rf"^{name}([\d.]+)", output, re.MULTILINE)
            for name in ("tps = ", "number of transactions actually processed: ")
        )
        if not rate or not times or "number of failed transactions: 0 " not in output:
            raise RuntimeError(output)
        client = used_now.ru_utime + used_now.ru_stime - used.ru_utime - used.ru_stime
        of_children = [now.children_user + now.children_system for now in (served, served_now)]
        micro = 1e6 / float(times[1])
        return Sample(float(rate[1]), client * micro, (of_children[1] - of_children[0]) * micro)

    def _run(self, seconds: float, *, flushed: bool) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(self.script)
            file.flush()
            command = [BIN / "pgbench", "--no-vacuum", "--protocol=prepared", f"--file={file.name}"]
            command += [f"--client={self.count}", f"--jobs={min(self.count, os.cpu_count() or 1)}"]
            command += [f"--time={max(1, round(seconds))}", f"--host={connection.settings_dict['HOST']}"]
            command += ["--username=postgres", self.database.name]
            environment = {**os.environ, "PGOPTIONS": f"-c synchronous_commit={'on' if flushed else 'off'}"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else done.stderr


def one_by_one(things: list[T], do: Callable[[T], object]) -> Step:
    """A step that does it with the next of the things, in a cycle."""
    again: Any = cycle(things)
    return lambda: do(next(again))
