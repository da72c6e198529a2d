"""``manage.py check_status_log``: check every row of the status log."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from gef_project.accounts import arguments
from gef_project.accounts.arguments import row_id
from gef_project.accounts.models import User
from gef_project.common.locking import translate_lock_errors
from status.exceptions import LedgerBusy
from status.models import Source, StatusLog
from status.verification import first_fault


class Command(BaseCommand):
    help = (
        "Check every row of the status log against the row before it, and the newest against the executions. "
        "Exit status 1, and the first broken row, when something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from",
            dest="since",
            type=row_id,
            default=0,
            metavar="ID",
            help="start at this row, for example after a broken one that is known",
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="append a snapshot row with the true counts; existing rows are never changed",
        )
        parser.add_argument(
            "--actor", type=arguments.user, metavar="EMAIL", help="who repairs (needed for --repair)"
        )
        parser.add_argument(
            "--reason", type=arguments.reason, help="why, for the snapshot row (needed for --repair)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"]:
            self.repair(options["actor"], options["reason"])
        ledger = StatusLog.objects.ids_of_ledger()
        ids = ledger[max(options["since"] - ledger.start, 0) :]
        with tqdm(total=len(ids), unit=" rows", unit_scale=True, leave=False, disable=None) as bar:
            fault = first_fault(bar.update, since=options["since"])
        if fault:
            raise CommandError(str(fault), returncode=1)
        rows = f"{len(ids)} rows, from {ids.start} to {ids.stop - 1}" if ids else "No rows"
        self.stdout.write(f"{rows}: every invariant holds.")
        older = StatusLog.objects.filter(id__lt=ledger.start).order_by("id").first()
        if older:
            until = ledger.start - 1
            what = "of the old periodic task" if older.is_periodic else "imported, from before the ledger"
            self.stdout.write(f"Not checked: the rows {older.pk} to {until}, {what}.")

    def repair(self, actor: User | None, reason: str | None) -> None:
        if not actor or not reason:
            raise CommandError("--repair needs --actor and --reason: the snapshot row records them.")
        try:
            with translate_lock_errors():
                row = StatusLog.objects.append_snapshot(actor=actor, source=Source.REPAIR, reason=reason)
        except LedgerBusy as busy:
            raise CommandError(str(busy)) from None
        self.stdout.write(f"Row {row.id} states the true counts.")
