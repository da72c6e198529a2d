"""A process that changes statuses and goes on when the database restarts: ``python -m`` this.

It prints the id of each row of the status log once its transition is committed. With ``--prepare`` it only
creates the tables and the executions.
"""

import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import Error, connection  # noqa: E402

from executions.models import Execution, Script  # noqa: E402
from gef_project.accounts.models import User  # noqa: E402
from status.exceptions import IllegalTransition, LedgerBusy  # noqa: E402
from status.states import Status  # noqa: E402

EMAIL, PASSWORD = "reader@example.org", "only for this test"


def prepare() -> None:
    call_command("migrate", verbosity=0)
    user = User.objects.create_superuser(EMAIL, PASSWORD)
    script = Script.objects.create(slug="restarts", name="Restarts", command=["true"])
    Execution.objects.bulk_create(Execution(script=script, user=user) for _ in range(20))


def change_one() -> None:
    execution = random.choice(Execution.objects.active())
    log = execution.update_status(random.choice([Status.READY, Status.RUNNING]), source="test")
    if log:
        sys.stdout.write(f"{log.pk}\n")
        sys.stdout.flush()


def main() -> None:
    while True:
        try:
            change_one()
        except IllegalTransition:
            pass
        except LedgerBusy:
            time.sleep(0.01)
        except Error:
            connection.close()
            time.sleep(0.05)
        time.sleep(0.005)


if __name__ == "__main__":
    prepare() if "--prepare" in sys.argv else main()
