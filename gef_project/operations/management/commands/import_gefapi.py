"""``manage.py import_gefapi --from URL``: adopt the database of a Trends.Earth API."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from gef_project.common.interruption import stop_on_signals
from gef_project.operations.importing.importer import NotPossible, earlier_import, run
from gef_project.operations.importing.source import Source, SourceError
from status.exceptions import LedgerBusy


def time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ArgumentTypeError(f"{name!r} is not the IANA name of a time zone, such as UTC.")
    return name


class Command(BaseCommand):
    help = (
        "Bring users, scripts, executions, their logs and the old status log of a Trends.Earth API's "
        "database into this one, which must be new. All of it or nothing: stopped half-way, it has changed "
        "nothing. "
        "docs/importing.md says what becomes of what."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from",
            dest="url",
            required=True,
            metavar="URL",
            help="postgresql://user@host/database, which is only read; give the password in PGPASSWORD",
        )
        parser.add_argument(
            "--time-zone",
            type=time_zone,
            default="UTC",
            metavar="NAME",
            help="what its times, which name no time zone, are in (default: UTC)",
        )
        parser.add_argument(
            "--report",
            type=Path,
            default=settings.VAR_DIR / "import-report.csv",
            metavar="FILE",
            help="gets a line for each row that could not be taken as it was (default: %(default)s)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="do everything, report it, and take it back"
        )

    def handle(
        self, *args: Any, url: str, time_zone: str, report: Path, dry_run: bool, **options: Any
    ) -> None:
        stop_on_signals()
        if row := earlier_import():
            self.stdout.write(
                f"An import ended at {row.timestamp:%Y-%m-%d %H:%M} UTC; nothing is left to do."
            )
            return
        try:
            with Source.open(url, time_zone) as source:
                result = run(source, time_zone, report, dry_run=dry_run)
        except (NotPossible, SourceError) as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        except (LedgerBusy, DatabaseError, psycopg.Error, OSError) as error:
            raise CommandError(f"{' '.join(str(error).split())} Nothing was changed.") from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was changed.") from None
        for line in result.lines():
            self.stdout.write(line)
        self.stdout.write(f"Each row that was not taken as it was: {report}")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")
        else:
            self.stdout.write("Now run manage.py check_status_log.")
