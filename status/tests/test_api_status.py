"""Reading the status log over the API."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog
from status.queries import MAX_PER_PAGE, PERIODS

pytestmark = pytest.mark.django_db

LIST = "/api/v1/status"


@pytest.fixture
def rows(db: None) -> list[StatusLog]:
    """The ledger, oldest first: the first snapshot, five creations, and an end."""
    executions = ExecutionFactory.create_batch(5)
    executions[0].cancel()
    return list(StatusLog.objects.order_by("id"))


def ids(answer) -> list[int]:
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()["data"]]


def time_of(row: StatusLog, **later: int) -> str:
    return (row.timestamp + timedelta(**later)).isoformat()


def test_a_row_has_these_keys(execution: Execution, admin: User) -> None:
    execution.update_status("RUNNING", actor=admin, source="shell", reason="by hand")
    row = client_of(admin).get(LIST, {"per_page": 1}).json()["data"][0]
    newest = StatusLog.objects.newest()
    assert row == {
        "id": newest.pk,
        "timestamp": f"{newest.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}",
        "execution_id": str(execution.pk),
        "status_from": "PENDING",
        "status_to": "RUNNING",
        "executions_pending": 0,
        "executions_ready": 0,
        "executions_running": 1,
        "executions_finished": 0,
        "executions_failed": 0,
        "executions_cancelled": 0,
        "executions_active": 1,
        "actor": str(admin.pk),
        "source": "shell",
        "reason": "by hand",
    }
    assert client_of(admin).get(f"{LIST}/current").json() == {"data": row}


def test_without_transitions_there_is_the_first_snapshot(admin: User) -> None:
    body = client_of(admin).get(LIST, {"per_page": 1}).json()
    assert body["total"] == 1
    assert (body["data"][0]["status_from"], body["data"][0]["status_to"]) == (None, None)
    assert client_of(admin).get(f"{LIST}/current").status_code == 200


def test_the_newest_come_first_unless_asked_otherwise(rows: list[StatusLog], admin: User) -> None:
    oldest_first = [row.pk for row in rows]
    assert ids(client_of(admin).get(LIST)) == oldest_first[::-1]
    assert ids(client_of(admin).get(LIST, {"sort": "-timestamp"})) == oldest_first[::-1]
    assert ids(client_of(admin).get(LIST, {"sort": "timestamp"})) == oldest_first


@pytest.mark.parametrize("sort", ["timestamp", "-timestamp"])
def test_pages_together_are_the_whole_list(rows: list[StatusLog], admin: User, sort: str) -> None:
    whole = ids(client_of(admin).get(LIST, {"sort": sort}))
    pages = []
    for page in range(1, 5):
        answer = client_of(admin).get(f"{LIST}?sort={sort}&page={page}&per_page=3")
        assert {key: answer.json()[key] for key in ("page", "per_page", "total")} == {
            "page": page,
            "per_page": 3,
            "total": len(rows),
        }
        pages += ids(answer)
    assert pages == whole


def test_both_ends_of_a_range_are_included(rows: list[StatusLog], admin: User) -> None:
    between = {"start_date": time_of(rows[2]), "end_date": time_of(rows[4])}
    answer = client_of(admin).get(LIST, between)
    expected = [row.pk for row in rows[::-1] if rows[2].timestamp <= row.timestamp <= rows[4].timestamp]
    assert ids(answer) == expected
    assert answer.json()["total"] == len(expected)


def test_an_empty_range_has_no_rows(rows: list[StatusLog], admin: User) -> None:
    for query in (
        {"start_date": time_of(rows[-1], seconds=1)},
        {"end_date": time_of(rows[0], seconds=-1)},
        {"start_date": time_of(rows[-1]), "end_date": time_of(rows[0])},
    ):
        body = client_of(admin).get(LIST, query).json()
        assert (body["data"], body["total"]) == ([], 0)


def test_a_day_as_the_end_means_all_of_it(rows: list[StatusLog], admin: User) -> None:
    days = [row.timestamp.date().isoformat() for row in (rows[0], rows[-1])]
    assert len(ids(client_of(admin).get(LIST, {"start_date": days[0], "end_date": days[1]}))) == len(rows)


def test_a_plus_that_was_decoded_as_a_space_is_understood(rows: list[StatusLog], admin: User) -> None:
    start = rows[-1].timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")
    answer = client_of(admin).get(f"{LIST}?start_date={start} 00:00")
    assert rows[-1].pk in ids(answer)
    assert rows[0].pk not in ids(answer)
    later = (rows[-1].timestamp + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    assert rows[-1].pk in ids(client_of(admin).get(f"{LIST}?start_date={later} 03:00"))


def test_a_period_ends_now_and_explicit_dates_win(rows: list[StatusLog], admin: User) -> None:
    future = (timezone.now() + timedelta(days=1)).isoformat()
    for period in ("last_day", "last_week", "last_month", "last_year", "all"):
        assert len(ids(client_of(admin).get(LIST, {"period": period}))) == len(rows)
        assert ids(client_of(admin).get(LIST, {"period": period, "start_date": future})) == []


def test_a_period_leaves_out_what_is_older(
    rows: list[StatusLog], admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PERIODS, "last_day", timedelta(microseconds=1))
    assert ids(client_of(admin).get(LIST, {"period": "last_day"})) == []


@pytest.mark.parametrize(
    "query", ["sort=id", "period=today", "start_date=x", "end_date=2026-13-01", "page=a", "per_page=1.5"]
)
def test_a_parameter_that_cannot_be_read_is_refused(admin: User, query: str) -> None:
    answer = client_of(admin).get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {query.partition("=")[0]}


@pytest.mark.parametrize(
    ("asked", "given"), [("0", 1), ("-3", 1), ("10081", MAX_PER_PAGE), ("99999", MAX_PER_PAGE)]
)
def test_the_size_of_a_page_is_brought_within_its_limits(admin: User, asked: str, given: int) -> None:
    assert client_of(admin).get(LIST, {"per_page": asked}).json()["per_page"] == given


@pytest.mark.parametrize("page", [1, 400, 10**40])
def test_a_page_at_any_depth_is_three_index_seeks(admin: User, page: int) -> None:
    ExecutionFactory.create_batch(4)
    client = client_of(admin)
    with CaptureQueriesContext(connection) as queries:
        body = client.get(f"{LIST}?page={page}&per_page=1&start_date=2000-01-01").json()
    assert body["total"] == 5
    statements = [query["sql"] for query in queries if "status_log" in query["sql"]]
    assert len(statements) == (3 if page == 1 else 2)
    assert not any("COUNT(" in sql or "OFFSET" in sql for sql in statements)


def test_the_seeks_use_the_index(rows: list[StatusLog]) -> None:
    start, end = rows[1].timestamp, rows[5].timestamp
    assert StatusLog.objects.ids_between(start, end) == range(rows[1].pk, rows[5].pk + 1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    by_time = StatusLog.objects.order_by("timestamp", "id").filter(timestamp__gte=start)[:1].explain()
    assert "status_log_timestamp" in by_time
    assert "Sort" not in by_time


def test_all_dates_have_the_same_form(rows: list[StatusLog], admin: User) -> None:
    for row in client_of(admin).get(LIST).json()["data"]:
        assert datetime.strptime(row["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007
        assert len(row["timestamp"]) == len("2026-01-31T00:00:00.000000Z")


def test_an_unchanged_newest_row_is_not_sent_again(admin: User, execution: Execution) -> None:
    client = client_of(admin)
    first = client.get("/api/v1/status/current")
    assert first["ETag"] == f'"{StatusLog.objects.newest().pk}"'
    with CaptureQueriesContext(connection) as captured:
        again = client.get("/api/v1/status/current", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert sum("status_log" in query["sql"] for query in captured) == 1
    execution.update_status("FINISHED")
    changed = client.get("/api/v1/status/current", headers={"if-none-match": f"W/{first['ETag']}"})
    assert (changed.status_code, changed.json()["data"]["status_to"]) == (200, "FINISHED")
