"""The rounds: kill a process, start it again, compare."""

import random
import sys
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from executions.models import Script
from gef_project.accounts.models import User
from status.verification import first_fault

from .journal import StatusLogRows, read_entries
from .targets import Server, Target, Worker, Writers
from .writer import SCRIPT

WORKER_SCRIPT = "run-by-worker"  # its slug
WORKER_COMMAND = [sys.executable, "-c", "import time; time.sleep(0.2)"]
RUNS_PER_ROUND = 4
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def prepare() -> None:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        for setting, value in DURABLE.items():
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone() != (value,):
                raise RuntimeError(f"PostgreSQL must run with {setting} = {value} for this test.")
        # Transactions of several transitions deadlock often here; the default is to wait a second first.
        cursor.execute("ALTER DATABASE gef SET deadlock_timeout = '20ms'")
    User.objects.create_user("kill@example.org", email_notifications=False)
    for slug, command in ((SCRIPT, ["true"]), (WORKER_SCRIPT, WORKER_COMMAND)):
        Script.objects.create(slug=slug, name=slug, command=command)


def run(var_dir: Path, rounds: int, writer_count: int) -> int:
    """Kill one process per round; prints a line for each round, and a summary.

    Returns:
        The exit status.
    """
    journals = var_dir / "journals"
    journals.mkdir()
    prepare()
    comparison = Comparison(journals)
    killed: Counter[str] = Counter()
    writers = Writers(writer_count, journals)
    worker = Worker(journals)
    try:
        targets: list[Target] = [writers, worker, Server()]
        for number, target in enumerate(islice(cycle(targets), rounds), 1):
            start_runs()
            writers.wait_for_each()
            time.sleep(random.uniform(0, 0.5))
            comparison.read_rows()
            target.kill()
            started = time.monotonic()
            target.restart()
            writers.wait_for_each()
            seconds = time.monotonic() - started
            killed[target.name] += 1
            outcome = comparison.compare()
            print(f"{number:3} {target.name:6} back after {seconds:4.1f} s  {outcome}", flush=True)
    finally:
        writers.stop()
        worker.stop()
    print(f"kills: {', '.join(f'{name} {times}' for name, times in killed.items())}  {comparison.compare()}")
    return 1 if comparison.faults else 0


def start_runs() -> None:
    script, user = Script.objects.get(slug=WORKER_SCRIPT), User.objects.get()
    for _ in range(RUNS_PER_ROUND):
        script.run(user, source="kill")


class Comparison:
    """Compares the status log with what was acknowledged, and with its rows when they were last read."""

    def __init__(self, journals: Path) -> None:
        self._journals = journals
        self._earlier = StatusLogRows()
        self.faults: list[str] = []

    def read_rows(self) -> None:
        self._earlier = StatusLogRows()

    def compare(self) -> str:
        """Look for faults now.

        Returns:
            The numbers and the first fault, as one line.
        """
        # Before the rows: those of a change that is acknowledged by now must be found.
        entries = list(read_entries(self._journals))
        rows = StatusLogRows()
        acknowledged = [entry for entry in entries if entry.acknowledged]
        missing = [entry for entry in acknowledged if not rows.have(entry)]
        unanswered = [entry for entry in entries if not entry.acknowledged]
        committed = sum(map(rows.have_any_of, unanswered))
        faults = [f"missing: {entry}" for entry in missing]
        if not rows.include(self._earlier):
            faults.append("rows that were read before are gone or have changed")
        if fault := first_fault():
            faults.append(str(fault))
        self._earlier = rows
        self.faults += faults
        return (
            f"{len(acknowledged):6} changes acknowledged, {len(missing)} missing;"
            f" {len(unanswered):3} unanswered, {committed} of them committed; {len(rows.by_id):6} rows:"
            f" {faults[0] if faults else 'every invariant holds'}"
        )
