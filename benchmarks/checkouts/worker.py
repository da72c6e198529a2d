"""Runs in one checkout, on a database of its own: a scenario for each line that it reads, a figure for each.

It uses nothing but what all versions of the project have: so the same file measures each of them.
"""

import multiprocessing
import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from executions.models import Execution, Script  # noqa: E402
from gef_project.accounts.models import User  # noqa: E402

EXECUTIONS = 100_000
BATCH = 10_000
OTHER = {"READY": "RUNNING", "RUNNING": "READY"}


def prepare() -> None:
    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench@example.org")
    script = Script.objects.create(slug="bench", name="Bench", command=["true"])
    for _ in range(EXECUTIONS // BATCH):
        Execution.objects.bulk_create(Execution(script=script, user=user) for _ in range(BATCH))
    Execution.objects.update_status("READY", source="bench")
    maintain()


def maintain() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) executions_execution")
        cursor.execute("VACUUM (ANALYZE) status_log")
        cursor.execute("CHECKPOINT")


def single(count: int, seconds: float) -> float:
    """Transitions a second through ``update_status``, by ``count`` processes."""
    keys = list(Execution.objects.values_list("pk", flat=True).order_by("pk")[: 4000 * count])
    random.Random(1).shuffle(keys)
    connections.close_all()
    context = multiprocessing.get_context("fork")
    barrier, rates = context.Barrier(count), context.SimpleQueue()

    def work(own: list) -> None:
        executions = list(Execution.objects.filter(pk__in=own))
        for execution in executions[:50]:
            execution.update_status(OTHER[execution.status], source="bench")
        barrier.wait()
        start, times = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            execution = executions[times % len(executions)]
            execution.update_status(OTHER[execution.status], source="bench")
            times += 1
        rates.put(times / (time.perf_counter() - start))

    processes = [context.Process(target=work, args=(keys[number::count],)) for number in range(count)]
    for process in processes:
        process.start()
    total: float = sum(rates.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def in_one_call() -> float:
    """Transitions a second when all executions change by one call, there and back."""
    Execution.objects.filter(status="RUNNING").update_status("READY", source="bench")
    maintain()
    start = time.perf_counter()
    changed = Execution.objects.update_status("RUNNING", source="bench")
    changed += Execution.objects.update_status("READY", source="bench")
    return changed / (time.perf_counter() - start)


def bulk_create() -> float:
    """Executions a second that ``bulk_create`` makes, ten thousand at once."""
    script, user = Script.objects.get(), User.objects.get()
    executions = [Execution(script=script, user=user) for _ in range(BATCH)]
    start = time.perf_counter()
    Execution.objects.bulk_create(executions)
    rate = BATCH / (time.perf_counter() - start)
    Execution.objects.filter(pk__in=[execution.pk for execution in executions]).delete()
    return rate


def main() -> None:
    prepare()
    print("ready", flush=True)
    scenarios = {
        "single 1": lambda: single(1, 4),
        "single 8": lambda: single(8, 4),
        "in one call": in_one_call,
        "bulk_create": bulk_create,
    }
    for line in sys.stdin:
        print(scenarios[line.strip()](), flush=True)


if __name__ == "__main__":
    main()
