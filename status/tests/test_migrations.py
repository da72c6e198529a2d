"""The rows of the periodic task survive the migrations to the ledger and back."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps.registry import Apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, connections, transaction
from django.db.migrations.recorder import MigrationRecorder

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.common import migrations
from gef_project.common.management.commands.migrate import LOCK
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .migration_helpers import migrate, migrated_back

pytestmark = pytest.mark.django_db(transaction=True)

PERIODIC = ("status", "0001_initial")
CANCELLED_COUNTED = ("status", "0002_count_cancelled")
BEFORE_LEDGER = ("status", "0003_record_transitions")
NEWEST = ("status", "0005_remove_periodic_task")

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def old_row(minute: int, **counts: int) -> dict[str, Any]:
    """As the periodic task wrote it: those that ended since the row before, and a total of all."""
    names = ("active", "ready", "running", "finished", "failed", "count")
    return {
        "timestamp": NOON + timedelta(minutes=minute),
        **{f"executions_{name}": counts.get(name, 0) for name in names},
        "users_count": 7,
        "scripts_count": 5,
    }


OLD_ROWS = [
    old_row(0, active=6, ready=1, running=2, finished=10, failed=3, count=1021),
    old_row(2, active=3, ready=1, running=2, finished=4, failed=1, count=1021),
    old_row(4, active=0, ready=1, running=2, finished=4, failed=1, count=1022),
]


@pytest.fixture
def old_apps() -> Iterator[Apps]:
    """A database of the periodic task's time, with its rows, whose ids have a hole and are not in order."""
    with migrated_back(PERIODIC) as apps:
        model = apps.get_model("status", "StatusLog")
        model.objects.all().delete()
        for pk, row in zip((90, 3, 41), OLD_ROWS, strict=True):
            log = model.objects.create(id=pk, **row)
            model.objects.filter(pk=log.pk).update(timestamp=row["timestamp"])
        yield apps


def test_old_rows_keep_what_was_recorded_and_nothing_is_invented(old_apps: Apps) -> None:
    migrate(NEWEST)
    *old, first = StatusLog.objects.order_by("id")
    assert [log.pk for log in old] == [1, 2, 3]
    for log, row in zip(old, OLD_ROWS, strict=True):
        recorded = {name: value for name, value in row.items() if hasattr(log, name)}
        assert {name: getattr(log, name) for name in recorded} == recorded
        assert (log.executions_cancelled, log.executions_pending, log.source) == (0, 0, "")
        assert log.is_periodic
    assert (first.pk, first.source, first.is_periodic) == (4, "migration", False)


def test_the_counts_change_without_a_rewrite_of_the_table(old_apps: Apps) -> None:
    before = file_of_table()
    migrate(CANCELLED_COUNTED)
    assert file_of_table() == before


def test_a_view_that_reads_a_column_that_goes_is_not_dropped_silently(old_apps: Apps) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW totals AS SELECT users_count FROM status_log")
        with pytest.raises(InternalError, match="view totals depends on"):
            migrate(CANCELLED_COUNTED)
        cursor.execute("DROP VIEW totals")


def file_of_table() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filepath('status_log')")
        return str(cursor.fetchone()[0])


def test_the_ledger_continues_after_the_old_rows(old_apps: Apps) -> None:
    migrate(NEWEST)
    ExecutionFactory().update_status(Status.RUNNING)
    assert list(StatusLog.objects.order_by("id").values_list("id", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert StatusLog.objects.newest().executions_running == 1
    assert first_fault() is None


def test_the_check_says_which_rows_it_does_not_check(old_apps: Apps) -> None:
    migrate(NEWEST)
    output = StringIO()
    call_command("check_status_log", stdout=output)
    assert "Not checked: the rows 1 to 3, of the old periodic task." in output.getvalue()


def test_the_first_row_counts_executions_that_have_any_status() -> None:
    for status in (Status.PENDING, Status.RUNNING, Status.RUNNING, Status.CANCELLED):
        ExecutionFactory(status=status)
    with migrated_back(PERIODIC) as apps:
        apps.get_model("status", "StatusLog").objects.all().delete()  # as if they were older than the ledger
        migrate(NEWEST)
        first = StatusLog.objects.get()
        assert (first.executions_pending, first.executions_running, first.executions_cancelled) == (1, 2, 1)
        assert first.executions_active == 3
        Execution.objects.update_status(Status.FINISHED)
        assert StatusLog.objects.newest().executions_finished == 3
        assert first_fault() is None


def test_after_migrating_back_the_old_code_can_insert() -> None:
    ExecutionFactory(status=Status.RUNNING)
    ids = list(StatusLog.objects.order_by("id").values_list("id", flat=True))
    with migrated_back(PERIODIC) as apps:
        model = apps.get_model("status", "StatusLog")
        rows = model.objects.order_by("id").values_list("executions_running", "executions_active")
        assert list(rows) == [(0, 0), (0, 1), (1, 1)]
        new = model.objects.create(executions_running=1, executions_count=1)
        assert new.pk == ids[-1] + 1
        Execution.objects.update(status=Status.READY)  # allowed, since there are no triggers
    assert first_fault() is None


def test_the_copy_of_the_table_keeps_its_privileges(old_apps: Apps) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS gef_test_reader; CREATE ROLE gef_test_reader")
        cursor.execute("GRANT SELECT ON status_log TO gef_test_reader WITH GRANT OPTION")
        cursor.execute("GRANT SELECT ON status_log TO PUBLIC")
        try:
            migrate(NEWEST)
            cursor.execute("SELECT relacl::text FROM pg_class WHERE relname = 'status_log'")
            access = cursor.fetchone()[0]
            assert "gef_test_reader=r*/" in access
            assert "=r/" in access
        finally:
            cursor.execute("REVOKE ALL ON status_log FROM PUBLIC")
            cursor.execute("DROP OWNED BY gef_test_reader; DROP ROLE gef_test_reader")


def test_a_migration_that_gets_no_lock_lets_others_pass_and_gives_up_in_one_line(
    old_apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TRY", 0.1)
    monkeypatch.setattr(migrations, "PAUSE", 0.1)
    monkeypatch.setattr(migrations, "PATIENCE", 0.3)
    reading, over = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM status_log")
            reading.set()
            over.wait()
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait()
    try:
        with pytest.raises(CommandError, match=r"status_log has been in use .* by process \d+ .* nothing"):
            migrate(NEWEST)
    finally:
        over.set()
        reader.join()
    migrate(NEWEST)
    assert StatusLog.objects.count() == len(OLD_ROWS) + 1


def test_a_second_migrate_waits_for_the_first(old_apps: Apps) -> None:
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    process = migrate_in_a_process()
    try:
        assert process.stderr
        assert "Another migrate is at work" in process.stderr.readline()
        assert process.poll() is None
    finally:
        other.close()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert StatusLog.objects.count() == len(OLD_ROWS) + 1


def migrate_in_a_process(name: str = "", role: str = "") -> "subprocess.Popen[str]":
    """On the database of this test, or on the named one as that role."""
    code = (
        "import django; django.setup(); from django.db import connection;"
        f" connection.settings_dict['NAME'] = {name or connection.settings_dict['NAME']!r};"
        f" connection.settings_dict['OPTIONS']['options'] += {f' -c role={role}' if role else ''!r};"
        " from django.core.management import call_command; call_command('migrate', verbosity=0)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "gef_project.settings"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2])
def test_a_killed_migrate_can_be_run_again(old_apps: Apps, seconds: float) -> None:
    process = migrate_in_a_process()
    while process.poll() is None and not migrations_begun():
        pass
    threading.Event().wait(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    call_command("migrate", verbosity=0)
    assert StatusLog.objects.count() == len(OLD_ROWS) + 1
    assert first_fault() is None


def migrations_begun() -> bool:
    return MigrationRecorder.Migration.objects.filter(app="status", name=CANCELLED_COUNTED[1]).exists()


def test_the_owner_of_the_database_need_not_be_a_superuser() -> None:
    name, role = f"plain_{connection.settings_dict['NAME']}", "gef_test_owner"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"DROP ROLE IF EXISTS {role}")
        cursor.execute(f"CREATE ROLE {role} LOGIN")
        cursor.execute(f"CREATE DATABASE {name} OWNER {role}")
        try:
            process = migrate_in_a_process(name, role)
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
            cursor.execute(f"DROP ROLE {role}")


def test_a_database_of_an_unreleased_version_is_refused_in_one_line() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("status", "0011_append_together")
    try:
        with pytest.raises(CommandError, match=r"does not know .*status\.0011_append_together"):
            call_command("migrate", verbosity=0)
    finally:
        recorder.record_unapplied("status", "0011_append_together")
