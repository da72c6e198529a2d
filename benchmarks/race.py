"""Change executions over many connections at once, then check every invariant of the ledger.

    python -m benchmarks.race --connections 16 --executions 50 --seconds 20

Exit status 1 and the first broken row when the ledger is not true.
"""

import argparse
import random
import sys
import time
import uuid
from contextlib import suppress
from functools import partial

from django.db import transaction

from benchmarks.database import own_database
from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.exceptions import ExecutionGone, IllegalTransition, LedgerBusy
from status.models import StatusLog
from status.states import TERMINAL, TRANSITIONS, Status
from status.tests.concurrency import in_processes
from status.verification import first_fault


def race(seconds: float, number: int) -> dict[str, int]:
    """Make random changes until the time is over; how many of each kind were acknowledged."""
    chance = random.Random(number)
    done = {"transitions": 0, "creations": 0, "deletions": 0, "refused": 0, "busy": 0}
    script, user = Script.objects.get(), User.objects.get()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        somewhere = Execution.objects.filter(pk__gte=uuid.UUID(int=chance.getrandbits(128)))
        if not (execution := somewhere.order_by("pk").first()):
            continue
        try:
            if execution.status in TERMINAL:
                with transaction.atomic():  # one leaves, one comes: two events in one transaction
                    done["deletions"] += execution.delete()[1].get("executions.Execution", 0)
                    Execution.objects.create(script=script, user=user)
                done["creations"] += 1
            else:
                targets = [*TRANSITIONS[Status(execution.status)], chance.choice(list(Status))]
                done["transitions"] += (
                    execution.update_status(chance.choice(sorted(targets)), source="race") is not None
                )
        except (IllegalTransition, ExecutionGone):
            done["refused"] += 1
        except LedgerBusy:
            done["busy"] += 1
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--executions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with own_database("gef_race"):
        script = Script.objects.create(slug="race", name="Race", command=["true"])
        user = User.objects.create_user("race@example.org")
        Execution.objects.bulk_create(Execution(script=script, user=user) for _ in range(options.executions))
        work = partial(race, options.seconds)
        for kind in in_processes(options.connections, work):
            print(kind)
        rows = StatusLog.objects.newest().id
        fault = first_fault()
    print(f"{rows} rows by {options.connections} connections: {fault or 'every invariant holds'}")
    return 1 if fault else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
