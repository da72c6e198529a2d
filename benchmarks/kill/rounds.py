"""The rounds: kill, bring back, compare."""

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

from .notes import Ledger, read_notes
from .victims import Server, Victim, Worker, Writers
from .writer import SCRIPT

RUN = [sys.executable, "-c", "import time; time.sleep(0.2)"]
RUNS_A_ROUND = 4
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def prepare() -> None:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        for setting, value in DURABLE.items():
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone() != (value,):
                raise RuntimeError(f"The server is to be killed with {setting} = {value}.")
        # Transactions of several moves meet head-on all the time here.
        cursor.execute("ALTER DATABASE gef SET deadlock_timeout = '20ms'")
    User.objects.create_user("kill@example.org", email_notifications=False)
    for slug, command in ((SCRIPT, ["true"]), ("run-by-worker", RUN)):
        Script.objects.create(slug=slug, name=slug, command=command)


def run(var_dir: Path, rounds: int, writer_count: int) -> int:
    """Kill so many times; prints a line for each, and one for all.

    Returns:
        The exit status.
    """
    notes = var_dir / "notes"
    notes.mkdir()
    prepare()
    check = Check(notes)
    killed: Counter[str] = Counter()
    writers = Writers(writer_count, notes)
    worker = Worker(notes)
    try:
        victims: list[Victim] = [writers, worker, Server()]
        for number, victim in enumerate(islice(cycle(victims), rounds), 1):
            hand_out_runs()
            writers.wait_for_each()
            time.sleep(random.uniform(0, 0.5))
            check.look()
            victim.kill()
            since = time.monotonic()
            victim.come_back()
            writers.wait_for_each()
            seconds = time.monotonic() - since
            killed[victim.name] += 1
            print(f"{number:3} {victim.name:6} back after {seconds:4.1f} s  {check.verdict()}", flush=True)
    finally:
        writers.stop()
        worker.stop()
    print(f"kills: {', '.join(f'{name} {times}' for name, times in killed.items())}  {check.verdict()}")
    return 1 if check.faults else 0


def hand_out_runs() -> None:
    script, user = Script.objects.get(slug="run-by-worker"), User.objects.get()
    for _ in range(RUNS_A_ROUND):
        script.run(user, source="kill")


class Check:
    """Compares the ledger with what was acknowledged, and with what it was when last looked at."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._seen = Ledger()
        self.faults: list[str] = []

    def look(self) -> None:
        self._seen = Ledger()

    def verdict(self) -> str:
        notes = list(read_notes(self._notes))  # first: what is acknowledged by now must be there then
        ledger = Ledger()
        acknowledged = [note for note in notes if note.acknowledged]
        missing = [note for note in acknowledged if not ledger.has(note)]
        unknown = [note for note in notes if not note.acknowledged]
        there = sum(map(ledger.has_any_of, unknown))
        faults = [f"missing: {note}" for note in missing]
        if not ledger.goes_on_from(self._seen):
            faults.append("rows that were read before are not there or not the same")
        if fault := first_fault():
            faults.append(str(fault))
        self._seen = ledger
        self.faults += faults
        return (
            f"{len(acknowledged):6} changes acknowledged, {len(missing)} missing;"
            f" {len(unknown):3} unanswered, {there} of them made; {len(ledger.rows):6} rows:"
            f" {faults[0] if faults else 'every invariant holds'}"
        )
