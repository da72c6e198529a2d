"""``manage.py follow_status``: the ledger as it grows."""

import os
import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from gef_project.accounts.arguments import row_id
from gef_project.common.interruption import stop_on_signals
from status.models import StatusLog
from status.tail import Follower, Line, RowsAreGone, as_json


class Command(BaseCommand):
    help = (
        "Print every change of a status as it is logged, each once and in order, until Ctrl-C or SIGTERM; "
        "also while the database is away for a time. Times are in UTC."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--after", type=row_id, metavar="ID", help="from the row after this one on, not from now on"
        )
        parser.add_argument("--json", action="store_true", help="a JSON object a line, as the API has it")

    def handle(self, *args: Any, after: int | None, json: bool, **options: Any) -> None:
        stop_on_signals()
        with suppress(KeyboardInterrupt):
            follower = Follower(self._place(after))
            coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            try:
                for row in follower.follow(lambda text: self.stderr.write(text)):
                    self.stdout.write(as_json(row) if json else str(Line(row, coloured)))
                    self.stdout.flush()
            except RowsAreGone as gone:
                raise CommandError(f"{gone} Go on with --after {gone.oldest - 1}.") from None
            except BrokenPipeError:
                # Nobody reads on; nor what Python would still flush at its end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _place(self, after: int | None) -> int:
        try:
            newest = StatusLog.objects.newest().pk
        except Error as error:
            raise CommandError(f"The database cannot be read: {str(error).strip()}") from error
        if after is not None and after > newest:
            raise CommandError(f"The newest row is {newest}.")
        return newest if after is None else after
