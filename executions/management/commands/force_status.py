"""``manage.py force_status EXECUTION STATUS --actor EMAIL --reason TEXT``: repair a status by hand."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from executions.models import Execution
from executions.repairs import force_status
from gef_project.accounts import arguments
from gef_project.accounts.models import User
from status.exceptions import LedgerBusy, StatusChangeError
from status.states import Status
from status.verification import counts_fault


def execution(text: str) -> Execution:
    try:
        return (
            Execution.objects.select_related("script", "user").defer("params", "results").get(pk=UUID(text))
        )
    except (ValueError, Execution.DoesNotExist):
        raise ArgumentTypeError(f"there is no execution {text}.") from None


class Command(BaseCommand):
    help = (
        "Repair an execution: give it a status even if the transition is illegal, such as from FINISHED to "
        "FAILED. The status log records it, with the source repair, who did it, and why. Only the status and "
        "the end date change."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("execution", type=execution, metavar="EXECUTION", help="its id")
        parser.add_argument(
            "status", type=str.upper, choices=list(Status), metavar="STATUS", help=", ".join(Status)
        )
        parser.add_argument(
            "--actor", type=arguments.user, required=True, metavar="EMAIL", help="who does it"
        )
        parser.add_argument("--reason", type=arguments.reason, required=True, metavar="TEXT", help="why")
        parser.add_argument("--no-input", "--noinput", action="store_true", help="do not ask")

    def handle(self, *args: Any, execution: Execution, status: str, **options: Any) -> None:
        target = Status(status)
        if execution.status == target:
            self.stdout.write(f"Execution {execution.pk} is {target} already; nothing was changed.")
            return
        self.show(execution, target, options["actor"], options["reason"])
        seen = None if options["no_input"] else Status(execution.status)
        if seen and not self.agreed():
            raise CommandError("Nothing was changed.")
        try:
            row = force_status(execution, target, seen=seen, actor=options["actor"], reason=options["reason"])
        except LedgerBusy as busy:
            waited = settings.LOCK_TIMEOUT.total_seconds()
            why = f"Another transaction has held it for longer than LOCK_TIMEOUT, {waited:g} s."
            raise CommandError(f"{busy} {why} Nothing was changed.") from busy
        except (StatusChangeError, DatabaseError) as error:
            raise CommandError(f"{str(error).strip()} Nothing was changed.") from error
        if row:
            change = f"Execution {execution.pk} went from {row.status_from} to {row.status_to}"
            self.stdout.write(f"{change}; row {row.pk} of the status log records it.")
        else:
            self.stdout.write(f"Execution {execution.pk} is {target} by now; nothing was changed.")

    def show(self, execution: Execution, target: Status, actor: User, reason: str) -> None:
        self.stdout.write(
            f"Execution {execution.pk} of script {execution.script.slug}, of {execution.user}:\n"
            f"  status  {execution.status} → {target}, even if that is illegal\n"
            f"  record  a row of the status log, by {actor}, because: {reason}\n"
            "  stays   progress, results, worker; nobody is started, stopped or told by this\n"
        )
        if fault := counts_fault():
            self.stdout.write(f"  note    {fault}; see manage.py check_status_log\n")

    def agreed(self) -> bool:
        try:
            return input("Type yes to do it: ").strip().lower() == "yes"
        except EOFError:
            return False
