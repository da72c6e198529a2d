"""The faults, one after the other, until every execution has ended."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from django.conf import settings
from django.core.management import call_command
from django.db import Error, connection, connections

from executions import monitoring
from executions.models import Execution, Script
from executions.tests.kill.targets import Server
from gef_project.accounts.models import User
from gef_project.devserver import valkey
from status.states import TERMINAL, Status
from status.verification import first_fault

# What a script leaves: it ignores signals, and no environment, session or parent says whose it is; only the
# last word does, to this test.
DAEMON = ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done", f"left-in-{settings.VAR_DIR}"]
SCRIPT = """
import os, sys, time
journal, number, seconds, daemon = sys.argv[1], os.environ["EXECUTION_ID"], float(sys.argv[2]), sys.argv[3:]
def note(event):
    with open(journal, "a") as file:
        file.write(f"{event} {number}\\n")
note("started")
if not os.fork():
    os.setsid()
    if not os.fork():
        os.execve("/bin/sh", daemon, {})
    os._exit(0)
for line in range(20):
    print(line, flush=True)
    time.sleep(seconds / 20)
note("done")
"""
LINES = [str(number) for number in range(20)]
LONGEST = 6.0  # seconds that a script takes
AWAY = 12.0  # seconds at most that PostgreSQL refuses connections: longer than the grace
LAST = 240.0  # seconds that the last executions have to end when there are no more faults


class Worker:
    """A Celery worker that is started again whenever it has ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._log = Path(settings.VAR_DIR) / f"{name}.log"
        self.restart()

    def restart(self) -> None:
        options = ["--concurrency=4", "--queues=celery,runs", "--without-mingle", "--without-gossip"]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "gef_project", "worker"),
                    *(f"--hostname={self._name}@%h", "--loglevel=INFO", *options),
                ],
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def see(self) -> None:
        if self._process.poll() is not None:
            self.restart()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def send_to_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def send_to_child(self, number: signal.Signals) -> None:
        """Of the pool, or the agent."""
        with suppress(psutil.NoSuchProcess, IndexError):
            random.choice(psutil.Process(self._process.pid).children()).send_signal(number)

    def stop(self) -> None:
        self.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self.send_to_group(signal.SIGKILL)
        self._process.wait()


def refuse_connections(workers: list[Worker]) -> None:
    """PostgreSQL is away for everybody."""
    name = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        time.sleep(random.uniform(0.5, AWAY))
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    connections.close_all()


def kill_postgresql(workers: list[Worker]) -> None:
    Server().kill()  # whoever needs it first starts it again


def of_worker(
    method: Callable[[Worker, signal.Signals], None], number: signal.Signals
) -> Callable[..., None]:
    return lambda workers: method(random.choice(workers), number)


def kill_broker(workers: list[Worker]) -> None:
    if process := valkey.Server.for_this_process(settings.VAR_DIR).process():
        process.kill()


FAULTS: dict[str, Callable[[list[Worker]], None]] = {
    "kill -9 of a worker with its processes": of_worker(Worker.send_to_group, signal.SIGKILL),
    "kill -9 of a worker's first process": of_worker(Worker.send, signal.SIGKILL),
    "kill -9 of a process of the pool": of_worker(Worker.send_to_child, signal.SIGKILL),
    "SIGTERM to a process of the pool": of_worker(Worker.send_to_child, signal.SIGTERM),
    "SIGTERM to a worker": of_worker(Worker.send, signal.SIGTERM),
    "SIGTERM to a worker with its processes": of_worker(Worker.send_to_group, signal.SIGTERM),
    "SIGQUIT to a worker": of_worker(Worker.send, signal.SIGQUIT),
    "PostgreSQL away": refuse_connections,
    "PostgreSQL killed": kill_postgresql,
    "broker killed": kill_broker,
}


def run(var_dir: Path, number: int, seed: int) -> int:
    """Returns: the exit status."""
    random.seed(seed)
    journal = var_dir / "journal"
    journal.touch()
    submit(journal, number)
    workers = [Worker("first"), Worker("second")]
    time.sleep(5)
    made: Counter[str] = Counter()
    names: list[str] = []
    try:
        while unended() > number * 0.05:  # so that the last ones can end
            names = names or random.sample(list(FAULTS), len(FAULTS))
            name = names.pop()
            FAULTS[name](workers)
            made[name] += 1
            print(f"{unended():4} have not ended  {name}", flush=True)
            pause = time.monotonic() + random.uniform(0.5, 4)
            while time.monotonic() < pause:
                supervise(workers)
        deadline = time.monotonic() + LAST
        while unended() and time.monotonic() < deadline:
            supervise(workers)
        time.sleep(1)
    finally:
        for worker in workers:
            worker.stop()
    return report(journal, made)


def submit(journal: Path, number: int) -> None:
    call_command("migrate", verbosity=0)
    user = User.objects.create_user("faults@example.org", email_notifications=False)
    for index in range(number):
        seconds = random.uniform(0, LONGEST)
        command = [sys.executable, "-c", SCRIPT, str(journal), str(seconds), *DAEMON]
        script = Script.objects.create(slug=f"s{index}", name=f"s{index}", command=command, time_limit=120)
        script.run(user, source="faults")


def supervise(workers: list[Worker]) -> None:
    """What beat and an init system do."""
    for worker in workers:
        worker.see()
    with suppress(Error):
        monitoring.fail_lost()
        monitoring.requeue_overdue()
    time.sleep(0.5)


def unended() -> int:
    while True:
        try:
            return Execution.objects.active().count()
        except Error:
            connection.close()
            time.sleep(0.2)


def report(journal: Path, made: Counter[str]) -> int:
    events = Counter(journal.read_text().splitlines())
    failed = Execution.objects.filter(status=Status.FAILED)
    victims = [each for each in failed if events[f"done {each.pk}"]]
    finished = Execution.objects.filter(status=Status.FINISHED)
    counts = {
        "victims": len(victims),
        "started twice": sum(times > 1 for event, times in events.items() if event.startswith("started")),
        "not terminal": Execution.objects.exclude(status__in=TERMINAL).count(),
        "wrong logs": sum(list(each.logs.values_list("text", flat=True)) != LINES for each in finished),
        "left": sum(_is_of_a_run(process) for process in psutil.process_iter()),
    }
    for execution in failed:
        print(f"FAILED: {execution.status_logs.newest().reason}")
    print(", ".join(f"{times} × {name}" for name, times in made.items()))
    statuses = Counter(Execution.objects.values_list("status", flat=True))
    print(", ".join(f"{times} {status}" for status, times in statuses.items()))
    fault = first_fault()
    print(", ".join(f"{name} {count}" for name, count in counts.items()), fault or "every invariant holds")
    return 1 if fault or any(counts.values()) else 0


def _is_of_a_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        line = process.cmdline()
        return DAEMON[-1] in line and process.status() != psutil.STATUS_ZOMBIE
    return False
