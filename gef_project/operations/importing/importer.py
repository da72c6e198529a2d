"""Bring all of a source here, in one transaction: it is all there afterwards, or nothing is."""

from pathlib import Path
from typing import Any

from django.db import connection, transaction
from tqdm import tqdm

from executions.models import Execution
from gef_project.common.attribution import attributed_to
from gef_project.common.locking import translate_lock_errors
from status.models import Source as StatusSource
from status.models import StatusLog

from . import accounts, executions, logs, status_rows
from .loading import Table, execute, note_findings, stage
from .report import Count, Report, summaries, write_findings
from .source import Source

# In the order in which they are read: what follows refers to what came before.
TABLES: list[Table] = [
    accounts.USERS,
    accounts.SCRIPTS,
    executions.EXECUTIONS,
    logs.LOGS,
    status_rows.STATUS_ROWS,
]
NAMES = ["users", "scripts", "executions", "lines of their logs", "rows of the old status log"]


class NotPossible(Exception):
    """This database cannot take an import; nothing has been changed."""


def earlier_import() -> StatusLog | None:
    """The snapshot with which an import has ended."""
    return StatusLog.objects.snapshots().filter(source=StatusSource.IMPORT).first()


def run(source: Source, time_zone: str, report_file: Path, *, dry_run: bool = False) -> Report:
    """Import everything, and begin the ledger with a snapshot.

    Nobody else writes executions or the ledger meanwhile: they wait, and get :class:`LedgerBusy`.

    Args:
        report_file: gets every single finding, as CSV.
        dry_run: do everything, report it, and take it back.

    Raises:
        NotPossible: there are executions here, or users or scripts with the same ids or slugs.
        LedgerBusy: somebody else writes executions, such as another import.
        SourceError: the source was lost.
    """
    with transaction.atomic(durable=True):
        with attributed_to(source=StatusSource.IMPORT, permission="import"), translate_lock_errors():
            report = _run(source, time_zone)
        write_findings(report_file)
        transaction.set_rollback(dry_run)
    return report


def _run(source: Source, time_zone: str) -> Report:
    execute("SET LOCAL work_mem = '64MB'")
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # a dry run has no commit that would check foreign keys
    if Execution.objects.exists() or StatusLog.objects.count() != 1:
        raise NotPossible(
            "An import needs a new database, with nothing in it but what manage.py migrate makes, and users:"
            " this one has executions, or had some."
        )
    execute("SELECT start_status_import()")
    execute(
        "CREATE TEMPORARY TABLE import_finding (item text, id text, text text, taken boolean) ON COMMIT DROP"
    )
    found = [source.count(table.source) for table in TABLES]
    bar: tqdm[Any] = tqdm(total=2 * sum(found), unit=" rows", unit_scale=True, leave=False, disable=None)
    with bar:
        for table in TABLES:
            bar.set_description(f"reading {table.source}")
            stage(source, table, bar.update)
        taken = _insert_all(bar)
    StatusLog.objects.append_snapshot(
        source=StatusSource.IMPORT,
        reason=f"Imported {taken[2]} executions of the database {source.server.database}. The ledger begins.",
    )
    counts = [Count(*count) for count in zip(NAMES, found, taken, strict=True)]
    return Report(source.server, time_zone, counts, summaries(), _without_counterpart(source))


def _insert_all(bar: "tqdm[Any]") -> list[int]:
    _refuse_conflicts()
    accounts.prepare_users()
    executions.prepare_executions()
    status_rows.prepare_status_rows()
    taken = []
    inserts = [
        accounts.insert_users,
        accounts.insert_scripts,
        executions.insert_executions,
        logs.insert_logs,
        status_rows.insert_status_rows,
    ]
    for table, insert in zip(TABLES, inserts, strict=True):
        bar.set_description(f"writing {table.source}")
        note_findings(table)
        taken.append(insert(bar.update))
    return taken


def _refuse_conflicts() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'a user with the id ' || id FROM accounts_user JOIN import_user USING (id)"
            " UNION ALL SELECT 'a script with the slug ' || ours.slug FROM executions_script AS ours"
            " JOIN import_script AS theirs ON ours.id = theirs.id OR ours.slug = theirs.slug LIMIT 1"
        )
        if row := cursor.fetchone():
            raise NotPossible(f"Both databases have {row[0]}. Delete it here, or begin with a new database.")


def _without_counterpart(source: Source) -> dict[str, int]:
    columns = {
        f"column {table.source}.{name}": number
        for table in TABLES
        for name, number in source.unused_columns(table.source, table.columns).items()
    }
    tables = {f"table {name}": number for name, number in source.unused_tables().items()}
    return {**columns, **tables}
