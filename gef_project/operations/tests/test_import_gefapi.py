"""The history of a Trends.Earth API with every trap in it, brought here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from rest_framework.test import APIClient

from executions.models import Execution, ExecutionLog, Script
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .gefapi import NOON, PASSWORD, findings, gefapi_database, id_of, import_from

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def source(django_db_setup: None) -> Iterator[str]:
    with gefapi_database() as url:
        yield url


@pytest.fixture
def report_file(tmp_path: Path) -> Path:
    return tmp_path / "report.csv"


@pytest.fixture
def imported(db: None, source: str, report_file: Path) -> str:
    """What the command has said."""
    UserFactory(email="here@example.org")
    return import_from(source, report_file)


@pytest.mark.usefixtures("imported")
def test_the_ledger_begins_with_a_snapshot_and_checks_clean() -> None:
    newest = StatusLog.objects.newest()
    assert (newest.source, newest.status_from, newest.status_to) == ("import", None, None)
    assert "Imported 12 executions" in newest.reason
    counts = {status: Execution.objects.filter(status=status).count() for status in Status}
    assert {status: getattr(newest, f"executions_{status.lower()}") for status in Status} == counts
    assert StatusLog.objects.ids_of_ledger() == range(newest.pk, newest.pk + 1)
    assert first_fault() is None
    output = StringIO()
    call_command("check_status_log", stdout=output)
    assert f"Not checked: the rows 1 to {newest.pk - 1}, imported" in output.getvalue()


@pytest.mark.usefixtures("imported")
def test_the_ledger_goes_on_from_there() -> None:
    ExecutionFactory(status=Status.FINISHED)
    log = Execution.objects.get(pk=id_of("05")).update_status(Status.FINISHED)
    assert log is not None
    assert log.status_from == Status.RUNNING
    Execution.objects.get(pk=id_of("01")).delete()
    assert first_fault() is None


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize(
    ("key", "status", "start", "end", "progress"),
    [
        ("01", "FINISHED", NOON, NOON.replace(hour=13), 100),
        ("02", "FAILED", NOON, NOON.replace(minute=40), 40),
        ("03", "FAILED", NOON, NOON, 40),
        ("04", "CANCELLED", NOON, NOON, 0),
        ("05", "RUNNING", NOON, None, 100),
        ("06", "PENDING", NOON, None, 0),
        ("07", "READY", NOON, None, 0),
        ("08", "CANCELLED", NOON, NOON.replace(minute=30), 0),
        ("09", "FAILED", NOON, NOON.replace(minute=30), 0),
    ],
)
def test_an_execution_keeps_its_id_and_gets_a_status_and_times_that_fit(
    key: str, status: str, start: datetime, end: datetime | None, progress: int
) -> None:
    one = Execution.objects.get(pk=id_of(key))
    assert (one.status, one.start_date, one.end_date, one.progress) == (status, start, end, progress)
    assert one.notified_at == one.end_date
    assert one.queued_at is None


@pytest.mark.usefixtures("imported")
def test_times_in_the_future_become_that_of_the_import() -> None:
    one = Execution.objects.get(pk=id_of("10"))
    assert one.status == Status.FAILED
    assert one.start_date == one.end_date
    assert one.start_date.year < 2100


@pytest.mark.usefixtures("imported")
def test_parameters_and_results_are_the_same_json() -> None:
    one = Execution.objects.get(pk=id_of("01"))
    assert (one.params, one.results) == ({"b": 1, "a": [1.5, "é\\n\t"]}, [1, 2])
    for key in ("02", "03"):
        assert Execution.objects.get(pk=id_of(key)).results == {}


@pytest.mark.usefixtures("imported")
def test_who_and_what_is_missing_is_stood_for() -> None:
    assert Execution.objects.get(pk=id_of("01")).user_id == id_of("a2")
    nobody = Execution.objects.get(pk=id_of("11")).user
    assert nobody.email == "imported-without-user@import.invalid"
    assert not nobody.is_active
    assert not nobody.has_usable_password()
    assert Execution.objects.get(pk=id_of("12")).script.slug == "imported-without-script"


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("email", ["ada@example.org", "sha1@example.org", "scrypt@example.org"])
def test_users_log_in_with_their_old_password_which_is_then_hashed_anew(api: APIClient, email: str) -> None:
    answer = api.post("/auth", {"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    assert User.objects.get(email=email).password.startswith("argon2$")
    assert authenticate(email=email, password=PASSWORD) is not None
    assert authenticate(email=email, password="wrong") is None


@pytest.mark.usefixtures("imported")
def test_of_two_addresses_that_differ_by_case_the_last_used_keeps_it() -> None:
    ada, other, here = (User.objects.get(pk=id_of(key)) for key in ("a1", "a2", "b4"))
    assert (ada.email, ada.name, len(ada.country), ada.role) == ("ada@example.org", "Ada", 100, "SUPERADMIN")
    assert ada.date_joined == datetime(2019, 3, 31, 2, 30, tzinfo=UTC)
    for user in (other, here):  # an account that was here before keeps its address, too
        assert user.email == f"{user.pk}@import.invalid"
        assert (user.is_active, user.has_usable_password(), user.email_notifications) == (False, False, False)
    assert other.executions.exists()


@pytest.mark.usefixtures("imported")
def test_users_keep_role_and_wishes() -> None:
    by_email = {user.email: user for user in User.objects.all()}
    assert by_email["sha1@example.org"].role == "ADMIN"
    assert by_email["old@example.org"].role == "USER"
    assert not by_email["old@example.org"].has_usable_password()
    assert not by_email["scrypt@example.org"].email_notifications
    assert by_email["old@example.org"].email_notifications


@pytest.mark.usefixtures("imported")
def test_scripts_are_unpublished_until_they_get_a_command() -> None:
    script = Script.objects.get(pk=id_of("c1"))
    assert (script.slug, script.published, script.user_id) == ("sums-1-0", False, id_of("a1"))
    assert script.description == "Adds.\n\nImported without its code. It was public, its image SUCCESS."
    script.full_clean()
    assert Script.objects.get(slug="broken").description.endswith("It was not public, its image FAIL.")


@pytest.mark.usefixtures("imported")
def test_log_lines_keep_their_ids_and_get_a_level_and_a_time() -> None:
    lines = ExecutionLog.objects.exclude(text__startswith="Imported").values_list(
        "pk", "text", "level", "register_date"
    )
    assert list(lines) == [
        (7, "first\tline\\", "INFO", NOON.replace(minute=10)),
        (8, "last line", "ERROR", NOON.replace(minute=40)),
        (20, "", "WARNING", NOON),
        (21, "odd", "INFO", NOON),
    ]
    added = ExecutionLog.objects.filter(execution=id_of("08")).get()
    assert added.text == "Imported with the status CANCELLING, which became CANCELLED."
    new = ExecutionLog.objects.create(execution_id=id_of("08"), text="next")
    assert new.pk == ExecutionLog.objects.exclude(pk=new.pk).latest("pk").pk + 1


@pytest.mark.usefixtures("imported")
def test_old_status_rows_are_numbered_by_their_time_and_kept_as_recorded() -> None:
    old = list(StatusLog.objects.filter(source="imported").order_by("id"))
    assert [row.pk for row in old] == list(range(1, 14))
    assert all(row.precedes_ledger for row in old)
    assert [row.timestamp for row in old] == sorted(row.timestamp for row in old)
    shown = [(row.status_from, row.status_to, row.reason) for row in old[5:]]
    assert shown == [
        ("READY", "RUNNING", ""),
        ("READY", "RUNNING", ""),
        (None, None, "RUNNING → CANCELLING"),
        ("RUNNING", "CANCELLED", "CANCELLING → CANCELLED"),
        (None, None, "NULL → FAILED"),
        (None, None, "RUNNING → EXPIRED; execution not-a-uuid"),
        ("PENDING", "FINISHED", ""),
        (None, None, "READY → READY"),
    ]
    assert [row.executions_active for row in old[:2]] == [3, 3]
    assert [row.executions_finished for row in old[:5]] == [10, 3, 3, 13, 13]
    assert old[9].execution_id == id_of("77")  # which is not there any more


def test_everything_that_does_not_fit_is_listed_and_counted(imported: str, report_file: Path) -> None:
    listed = findings(report_file)
    of = {
        item: {(row["id"][-2:], row["taken"]) for row in listed if row["table"] == item}
        for item in ("user", "script", "execution", "execution_log", "status_log")
    }
    assert of["execution_log"] == {("20", "t"), ("21", "t"), ("22", "f")}
    assert of["user"] == {(key, "t") for key in ("a1", "a2", "b1", "b3", "b4")}
    assert of["script"] == {("c1", "t"), ("c2", "t")}
    assert of["execution"] == {(f"{key:02}", "t") for key in range(2, 13)}
    kept = ("9", "23", "24", "25", "26", "27", "28", "30")
    assert of["status_log"] == {("1", "f"), *((key, "t") for key in kept)}
    for line in (
        "6 of 6 users",
        "4 of 5 lines of their logs",
        "13 of 14 rows of the old status log",
        "1 × execution_log: it is of no execution",
        "3 × execution: open, so its end_date was left out",
        "1 × execution: the status EXPIRED became FAILED",
        "1 × column user.gee_license",
        "1 × column script.cpu_limit",
        "1 × table script_log",
        "2 × table refresh_tokens",
        "were read as UTC",
    ):
        assert line in imported
    assert "alembic_version" not in imported
