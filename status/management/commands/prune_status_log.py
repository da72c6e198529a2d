"""``manage.py prune_status_log --older-than DAYS``: delete old rows."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from status.exceptions import LedgerBusy
from status.retention import prune


def days(text: str) -> timedelta:
    try:
        age = timedelta(days=float(text))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a number of days.") from None
    if age <= timedelta(0):
        raise ArgumentTypeError("must be more than 0 days.")
    return age


class Command(BaseCommand):
    help = (
        "Delete the rows of the status log that are older than this many days, oldest first, in small "
        "transactions. The newest row always stays. It can be stopped and started again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=days, required=True, metavar="DAYS")

    def handle(self, *args: Any, older_than: timedelta, **options: Any) -> None:
        pruned = 0
        with tqdm(unit=" rows", unit_scale=True, leave=False, disable=None) as bar:
            try:
                for rows in prune(timezone.now() - older_than):
                    pruned += rows
                    bar.update(rows)
            except LedgerBusy as busy:
                raise CommandError(f"{busy} {pruned} rows have been deleted so far.") from None
        self.stdout.write(f"{pruned} rows deleted.")
