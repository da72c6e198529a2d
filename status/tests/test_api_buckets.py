"""Buckets over the API; test_aggregation.py tests what is in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status import buckets, queries
from status.models import StatusLog
from status.states import Status

from .ledger_builders import set_times

pytestmark = pytest.mark.django_db

NOON = datetime(2024, 10, 26, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def history(execution: Execution) -> list[StatusLog]:
    """At noon an execution is created, it runs at three, and ends at a quarter past five."""
    execution.update_status(Status.RUNNING)
    execution.update_status(Status.FAILED)
    hours = (0, 0, 3, 5.25)
    return set_times([NOON + timedelta(hours=hour) for hour in hours])


def ask(admin: User, **query: Any) -> Any:
    return client_of(admin).get(
        "/api/v1/status",
        {
            "aggregate": "true",
            "group_by": "hour",
            "start_date": NOON.isoformat(),
            "end_date": (NOON + timedelta(hours=6)).isoformat(),
            **query,
        },
    )


def column(answer: Any, name: str) -> list[Any]:
    assert answer.status_code == 200, answer.json()
    return [bucket[name] for bucket in answer.json()["data"]]


def test_empty_buckets_carry_the_level_on(admin: User) -> None:
    answer = ask(admin)
    assert column(answer, "executions_pending") == [1, 1, 1, 0, 0, 0, 0]
    assert column(answer, "executions_running") == [0, 0, 0, 1, 1, 0, 0]
    assert column(answer, "executions_failed") == [0, 0, 0, 0, 0, 1, 0]
    assert column(answer, "cumulative_failed") == [0, 0, 0, 0, 0, 1, 1]


def test_the_newest_may_come_first(admin: User) -> None:
    answer = ask(admin, sort="-timestamp")
    assert column(answer, "cumulative_failed") == [1, 1, 0, 0, 0, 0, 0]


def test_average_and_maximum_come_when_asked_for(admin: User) -> None:
    assert "average" not in ask(admin).json()["data"][0]
    answer = ask(admin, include="average,maximum")
    assert [level["running"] for level in column(answer, "average")] == [0, 0, 0, 1, 1, 0.25, 0]
    assert [level["running"] for level in column(answer, "maximum")] == [0, 0, 0, 1, 1, 1, 0]
    assert "average" not in ask(admin, include="maximum").json()["data"][0]


def test_days_are_those_of_the_time_zone(admin: User) -> None:
    answer = ask(admin, group_by="day", tz="Europe/Berlin", end_date="2024-10-28")
    assert column(answer, "timestamp") == [
        "2024-10-25T22:00:00.000000Z",
        "2024-10-26T22:00:00.000000Z",
        "2024-10-27T23:00:00.000000Z",  # a day of 25 hours before it
        "2024-10-28T23:00:00.000000Z",
    ]


def test_there_are_no_buckets_before_the_first_row_or_after_now(admin: User) -> None:
    answer = ask(admin, start_date="1990-01-01", end_date="2999-01-01", group_by="day")
    assert column(answer, "timestamp")[0] == "2024-10-26T00:00:00.000000Z"
    assert column(answer, "timestamp")[-1] == f"{timezone.now():%Y-%m-%d}T00:00:00.000000Z"
    for nothing in ({"end_date": "2024-10-25"}, {"start_date": "2999-01-01", "end_date": "2999-01-02"}):
        assert ask(admin, **nothing).json() == {"data": [], "page": 1, "per_page": 0, "total": 0}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tz": "Europe/Nowhere"}, "tz"),
        ({"tz": "../etc/passwd"}, "tz"),
        ({"tz": "Europe"}, "tz"),
        ({"group_by": "minute"}, "group_by"),
        ({"group_by": ""}, "group_by"),
        ({"include": "average,median"}, "include"),
        ({"execution_id": "0" * 32}, "execution_id"),
        ({"source": "api"}, "source"),
    ],
)
def test_invalid_parameters_are_refused(admin: User, query: dict[str, str], field: str) -> None:
    answer = ask(admin, **query)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {field}


def test_too_many_buckets_are_refused(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 7)
    assert ask(admin).json()["total"] == 7
    answer = ask(admin, end_date=(NOON + timedelta(hours=7)).isoformat())
    assert set(answer.json()["errors"]) == {"group_by"}


def test_too_many_rows_to_average_are_refused(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_AVERAGED", 3)
    assert set(ask(admin, include="average").json()["errors"]) == {"include"}
    assert ask(admin).status_code == 200
