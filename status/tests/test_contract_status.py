"""What the existing clients of the status calls rely on, rule by rule: section 7 of their contract."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status import queries
from status.models import StatusLog
from status.states import Status

from .ledger_builders import set_times

pytestmark = pytest.mark.django_db

LIST = "/api/v1/status"
ROW = {
    *("id", "timestamp", "status_from", "status_to", "execution_id"),
    *(f"executions_{status.lower()}" for status in Status),
}
BUCKET = {
    *("timestamp", "executions_active", "cumulative_finished", "cumulative_failed", "cumulative_cancelled"),
    *(f"executions_{status.lower()}" for status in Status),
}


@pytest.fixture
def client(admin: User) -> APIClient:
    return client_of(admin)


@pytest.fixture
def history(execution: Execution) -> list[StatusLog]:
    """A snapshot 70 days ago, a creation 40 days ago; transitions two days, one day and an hour ago."""
    for status in (Status.READY, Status.RUNNING, Status.FINISHED):
        execution.update_status(status)
    now = timezone.now()
    days = [now - timedelta(days=days) for days in (70, 40, 2, 1)]
    return set_times([*days, now - timedelta(hours=1)])


def timestamps(answer) -> list[str]:
    assert answer.status_code == 200
    return [row["timestamp"] for row in answer.json()["data"]]


def test_only_staff_may_read(owner: User, api: APIClient) -> None:
    for path in (LIST, f"{LIST}/current", f"{LIST}?aggregate=true&group_by=day", f"{LIST}?after=0"):
        assert client_of(owner).get(path).status_code == 403
        assert api.get(path).status_code == 401


def test_the_availability_probe_gets_a_row_even_before_the_first_execution(client: APIClient) -> None:
    body = client.get(LIST, {"per_page": 1}).json()
    assert len(body["data"]) == 1
    assert set(body["data"][0]) >= ROW


def test_the_summary_gets_the_newest_row_with_six_counts(client: APIClient, history: list[StatusLog]) -> None:
    body = client.get(f"{LIST}?per_page=1&sort=-timestamp").json()
    (row,) = body["data"]
    assert row["id"] == history[-1].id
    counts = {status.lower(): row[f"executions_{status.lower()}"] for status in Status}
    assert counts == dict.fromkeys(counts, 0) | {"finished": 1}
    assert {key: body[key] for key in ("page", "per_page", "total")} == {"page": 1, "per_page": 1, "total": 5}


@pytest.mark.parametrize(("days", "per_page", "rows"), [(1, 1441, 1), (7, 10081, 3), (30, 8641, 3)])
def test_the_charts_get_the_rows_of_their_time_newest_first(
    client: APIClient, history: list[StatusLog], days: int, per_page: int, rows: int
) -> None:
    end = timezone.now()
    query: dict[str, str | int] = {
        "start_date": (end - timedelta(days=days) + timedelta(minutes=1)).isoformat(),
        "end_date": end.isoformat(),
        "per_page": per_page,
        "sort": "-timestamp",
    }
    answer = client.get(LIST, query)
    assert [row["id"] for row in answer.json()["data"]] == [row.id for row in history[::-1][:rows]]
    assert answer.json()["per_page"] == per_page
    assert timestamps(answer) == sorted(timestamps(answer), reverse=True)


@pytest.mark.parametrize(("period", "buckets"), [("last_year", 3), ("all", 3)])
def test_the_long_charts_get_ascending_buckets(
    client: APIClient, history: list[StatusLog], period: str, buckets: int
) -> None:
    query = {"aggregate": "true", "group_by": "month", "period": period, "sort": "timestamp"}
    answer = client.get(LIST, query)
    body = answer.json()
    assert timestamps(answer) == sorted(timestamps(answer))
    assert buckets <= len(body["data"]) <= buckets + 1
    assert set(body["data"][0]) == BUCKET
    assert (body["page"], body["per_page"], body["total"]) == (1, len(body["data"]), len(body["data"]))


@pytest.mark.parametrize("yes", ["true", "1", "yes", "True"])
def test_aggregate_accepts_several_words_for_true(client: APIClient, yes: str) -> None:
    assert "cumulative_failed" in client.get(LIST, {"aggregate": yes, "group_by": "day"}).json()["data"][0]
    assert client.get(LIST, {"aggregate": yes}).status_code == 400


@pytest.mark.parametrize("query", ["aggregate=1&group_by=year", "aggregate=perhaps", "period=yesterday"])
def test_other_words_are_refused(client: APIClient, query: str) -> None:
    assert client.get(f"{LIST}?{query}").status_code == 400


def test_what_ended_is_counted_once_not_in_every_snapshot(client: APIClient) -> None:
    executions = ExecutionFactory.create_batch(27)
    for execution in executions:
        execution.update_status(Status.RUNNING)
        execution.update_status(Status.FINISHED)
    (bucket,) = client.get(LIST, {"aggregate": "true", "group_by": "month"}).json()["data"][-1:]
    assert (bucket["executions_finished"], bucket["cumulative_finished"]) == (27, 27)
    assert (bucket["executions_active"], bucket["executions_running"]) == (0, 0)


def test_the_week_view_gets_every_point(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queries.MAX_PER_PAGE >= 10081
    monkeypatch.setattr(queries, "MAX_PER_PAGE", 4)
    ExecutionFactory.create_batch(3)
    assert client.get(LIST, {"per_page": 10081}).json()["per_page"] == 4
    assert len(client.get(LIST, {"per_page": 4}).json()["data"]) == 4


def test_equal_times_keep_their_order(client: APIClient) -> None:
    ExecutionFactory.create_batch(6)
    rows = set_times([timezone.now()] * 7)
    pages = [client.get(LIST, {"page": page, "per_page": 2}).json()["data"] for page in range(1, 5)]
    assert [row["id"] for page in pages for row in page] == [row.id for row in rows[::-1]]


def test_all_dates_have_the_same_form_in_rows_and_buckets(
    client: APIClient, history: list[StatusLog]
) -> None:
    set_times([row.timestamp.replace(microsecond=0) for row in history])
    for query in ("", "aggregate=true&group_by=hour", "after=0"):
        for timestamp in timestamps(client.get(f"{LIST}?{query}")):
            assert datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007
            assert len(timestamp) == len("2026-01-31T00:00:00.000000Z")
