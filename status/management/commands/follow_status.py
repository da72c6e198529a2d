"""``manage.py follow_status``: print the status log as it grows."""

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
from status.tail import Line, RowsPruned, Tail, as_json


class Command(BaseCommand):
    help = (
        "Print every row of the status log as it is written, each once and in order, until Ctrl-C or "
        "SIGTERM. When the database is away, it waits. Times are in UTC."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--after", type=row_id, metavar="ID", help="start after this row, not with the next new one"
        )
        parser.add_argument(
            "--json", action="store_true", help="print a JSON object on each line, as in the API"
        )

    def handle(self, *args: Any, after: int | None, json: bool, **options: Any) -> None:
        stop_on_signals()
        with suppress(KeyboardInterrupt):
            tail = Tail(self._place(after))
            coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            try:
                for row in tail.follow(lambda text: self.stderr.write(text)):
                    self.stdout.write(as_json(row) if json else str(Line(row, coloured)))
                    self.stdout.flush()
            except RowsPruned as gone:
                raise CommandError(f"{gone} Continue with --after {gone.oldest - 1}.") from None
            except BrokenPipeError:
                # The reader is gone, so nothing may be flushed when Python exits.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _place(self, after: int | None) -> int:
        try:
            newest = StatusLog.objects.newest().pk
        except Error as error:
            raise CommandError(f"The database cannot be read: {str(error).strip()}") from error
        if after is not None and after > newest:
            raise CommandError(f"The newest row is {newest}.")
        return newest if after is None else after
