"""An import is done once, wholly or not at all, whatever the source is and whoever stops it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError
from django.db import connection

from executions.models import Execution, ExecutionLog, Script
from executions.tests.factories import ExecutionFactory, ScriptFactory
from executions.tests.processes import eventually
from gef_project.accounts.models import User
from status.models import StatusLog
from status.verification import first_fault

from .gefapi import NOON, findings, gefapi_database, id_of, import_from, url_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(transactional_db: None) -> Iterator[str]:
    with gefapi_database() as url:
        yield url


@pytest.fixture
def report_file(tmp_path: Path) -> Path:
    return tmp_path / "report.csv"


def test_a_second_import_has_nothing_to_do(source: str, report_file: Path) -> None:
    import_from(source, report_file)
    newest = StatusLog.objects.newest().pk
    assert "nothing is left to do" in import_from(source, report_file)
    assert StatusLog.objects.newest().pk == newest


def everything() -> list[list[Any]]:
    models: tuple[Any, ...] = (User, Script, Execution, ExecutionLog, StatusLog)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_dry_run_reports_the_same_and_changes_nothing(source: str, report_file: Path) -> None:
    before = everything()
    said = import_from(source, report_file, "--dry-run")
    assert everything() == before
    assert "nothing was changed" in said
    listed = findings(report_file)
    real = import_from(source, report_file)
    assert said.splitlines()[:-2] == real.splitlines()[:-2]
    assert sorted(map(str, findings(report_file))) == sorted(map(str, listed))


def test_times_are_read_in_the_time_zone_that_is_asked_for(source: str, report_file: Path) -> None:
    import_from(source, report_file, "--time-zone", "America/New_York")
    assert Execution.objects.get(pk=id_of("01")).start_date == NOON.replace(hour=16)


def test_the_time_zone_of_the_source_does_not_matter(source: str, report_file: Path) -> None:
    with psycopg.connect(source, autocommit=True) as database:
        name = database.info.dbname
        database.execute(f"""ALTER DATABASE "{name}" SET TimeZone = 'Asia/Tokyo'""")
        database.execute(f"""ALTER DATABASE "{name}" SET DateStyle = 'German'""")
    assert "has Asia/Tokyo" in import_from(source, report_file)
    assert Execution.objects.get(pk=id_of("01")).start_date == NOON


def test_columns_of_earlier_and_later_versions_come_and_go(source: str, report_file: Path) -> None:
    with psycopg.connect(source, autocommit=True) as database:
        database.execute(
            "ALTER TABLE status_log DROP status_from, DROP status_to, DROP execution_id,"
            " DROP executions_cancelled, DROP executions_pending,"
            " ADD executions_active integer DEFAULT 2, ADD users_count integer DEFAULT 6"
        )
        database.execute(
            "ALTER TABLE execution DROP queued_at, DROP dispatched_at,"
            " ALTER start_date TYPE timestamptz USING start_date AT TIME ZONE 'UTC'"
        )
        database.execute('ALTER TABLE "user" DROP email_notifications_enabled, DROP last_login_at')
        database.execute("DROP TABLE execution_log")
    said = import_from(source, report_file)
    assert Execution.objects.get(pk=id_of("01")).start_date == NOON
    assert not StatusLog.objects.filter(source="imported").exclude(status_to=None).exists()
    assert StatusLog.objects.get(pk=2).executions_active == 2
    assert "14 × column status_log.users_count" in said
    assert first_fault() is None


def test_a_database_with_executions_is_left_alone(source: str, report_file: Path) -> None:
    ExecutionFactory()
    before = everything()
    with pytest.raises(CommandError, match="needs a new database"):
        import_from(source, report_file)
    assert everything() == before


def test_a_script_with_the_same_slug_is_named(source: str, report_file: Path) -> None:
    ScriptFactory(slug="sums-1-0")
    with pytest.raises(CommandError, match="script with the slug sums-1-0"):
        import_from(source, report_file)


def test_what_is_no_such_database_is_refused_in_one_line(source: str, report_file: Path) -> None:
    with psycopg.connect(source) as database:
        database.execute("DROP TABLE execution_log; ALTER TABLE execution RENAME TO run")
    with pytest.raises(CommandError, match="no table execution in public"):
        import_from(source, report_file)
    with pytest.raises(CommandError, match="The source: ") as error:
        import_from("postgresql://nobody:hidden@127.0.0.1:1/nothing", report_file)
    assert "hidden" not in str(error.value)


def start_import(source: str, report_file: Path) -> "subprocess.Popen[str]":
    """In a process of its own, on the database of this test."""
    code = (
        "import django; django.setup(); from django.db import connection;"
        f" connection.settings_dict['NAME'] = {connection.settings_dict['NAME']!r};"
        " from django.core.management import call_command;"
        f" call_command('import_gefapi', '--from', {source!r}, '--report', {str(report_file)!r})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "gef_project.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def waits_for(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted)", [table]
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_import_has_changed_nothing_and_can_be_run_again(
    number: signal.Signals, source: str, report_file: Path
) -> None:
    before = everything()
    with psycopg.connect(url_of(str(connection.settings_dict["NAME"]))) as other:
        other.execute("LOCK TABLE executions_executionlog IN EXCLUSIVE MODE")
        process = start_import(source, report_file)
        eventually(lambda: waits_for("executions_executionlog"))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    if number == signal.SIGTERM:
        assert "Stopped. Nothing was changed." in said
    assert everything() == before
    import_from(source, report_file)
    assert Execution.objects.count() == 12
    assert first_fault() is None


def test_two_imports_at_once_are_one(source: str, report_file: Path) -> None:
    processes = [start_import(source, report_file.with_suffix(f".{number}")) for number in range(2)]
    said = [process.communicate(timeout=120) for process in processes]
    assert sorted(process.returncode == 0 for process in processes) in ([False, True], [True, True]), said
    assert Execution.objects.count() == 12
    assert first_fault() is None
