"""Executions and the status log as files."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.utils import timezone

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from gef_project.common.export import POSITION_HEADER
from status.models import StatusLog
from status.states import Status

from .export_connections import count_export_connections
from .factories import ExecutionFactory, ScriptFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)  # an export has a connection of its own

EXECUTIONS = "/api/v1/execution/export"
STATUS_LOG = "/api/v1/status/export"


def body(admin: User, path: str, **query: Any) -> bytes:
    answer: Any = client_of(admin).get(path, query)
    assert answer.status_code == 200
    return b"".join(answer)


def rows(admin: User, path: str = EXECUTIONS, **query: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(admin, path, **query).decode(), newline="")))


def lines(admin: User, path: str = EXECUTIONS, **query: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body(admin, path, format="jsonl", **query).decode().splitlines()]


def test_a_line_of_an_execution_says_this(execution: Execution, admin: User) -> None:
    execution.update_status("FINISHED", results={"a": [1]})
    form = "%Y-%m-%dT%H:%M:%S.%fZ"
    expected = {
        "id": str(execution.pk),
        "script_id": str(execution.script_id),
        "user_id": str(execution.user_id),
        "status": "FINISHED",
        "progress": 100,
        "start_date": execution.start_date.strftime(form),
        "end_date": execution.end_date.strftime(form) if execution.end_date else None,
        "queued_at": None,
        "dispatched_at": None,
        "duration": execution.duration.total_seconds(),
        "script_name": execution.script.name,
        "user_name": execution.user.name,
        "user_email": execution.user.email,
    }
    assert lines(admin) == [expected]
    assert rows(admin) == [{name: "" if value is None else str(value) for name, value in expected.items()}]


def test_params_and_results_come_when_they_are_asked_for(execution: Execution, admin: User) -> None:
    results = {"a": ["\x00", "\ud800", "é"], "b": 2**70}
    execution.update_status("FINISHED", results=results)
    [line] = lines(admin, include="results, params,others")
    assert (line["params"], line["results"]) == ({}, results)
    [row] = rows(admin, include="results")
    assert json.loads(row["results"]) == results
    assert "params" not in row


def test_a_row_of_the_status_log_says_what_the_list_says(execution: Execution, admin: User) -> None:
    execution.update_status("RUNNING", actor=admin, source="shell", reason="by hand")
    listed = client_of(admin).get("/api/v1/status?sort=timestamp").json()["data"]
    assert lines(admin, STATUS_LOG) == listed
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in listed]
    assert rows(admin, STATUS_LOG) == texts


def test_text_that_a_spreadsheet_would_run_as_a_formula_is_escaped(owner: User, admin: User) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a "b", c\r\nd', "É ∑ 漢", "1-1", "'=1"]
    scripts = [ScriptFactory(name=name) for name in names]
    for script in scripts:
        ExecutionFactory(script=script, user=owner)
    given = [row["script_name"] for row in rows(admin)]
    assert given == [f"'{name}" for name in names[:6]] + names[6:]
    assert [line["script_name"] for line in lines(admin)] == names


@pytest.mark.parametrize("field", ["start_date", "end_date"])
def test_both_ends_of_the_time_are_included(script: Script, admin: User, field: str) -> None:
    made = ExecutionFactory.create_batch(4, script=script, status=Status.FAILED)
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=5)
    for days, execution in enumerate(made):
        dates = {"start_date": midnight - timedelta(days=9), field: midnight + timedelta(days=days)}
        Execution.objects.filter(pk=execution.pk).update(**{"end_date": midnight, **dates})

    def found(**query: Any) -> list[int]:
        order = [str(execution.pk) for execution in made]
        return [order.index(row["id"]) for row in rows(admin, date_field=field, **query)]

    second, third = (midnight + timedelta(days=days) for days in (1, 2))
    assert found() == [0, 1, 2, 3]
    assert found(date_from=second.isoformat(), date_to=third.isoformat()) == [1, 2]
    assert found(date_from=third.date()) == [2, 3]
    assert found(date_to=second.date()) == [0, 1]
    assert found(date_from=(second + timedelta(microseconds=1)).isoformat()) == [2, 3]


def test_the_status_log_has_times_too(execution: Execution, admin: User) -> None:
    execution.update_status("RUNNING")
    first, second, third = StatusLog.objects.order_by("id")
    start, end = second.timestamp.isoformat(), third.timestamp.isoformat()
    assert [line["id"] for line in lines(admin, STATUS_LOG, start_date=start)] == [second.pk, third.pk]
    assert third.pk in [line["id"] for line in lines(admin, STATUS_LOG, end_date=end)]
    assert lines(admin, STATUS_LOG, end_date="2020-01-01") == []
    assert first.timestamp <= second.timestamp


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (EXECUTIONS, {"format": "xlsx"}),
        (EXECUTIONS, {"date_field": "queued_at"}),
        (EXECUTIONS, {"date_from": "yesterday"}),
        (STATUS_LOG, {"format": "json"}),
        (STATUS_LOG, {"end_date": "\x00"}),
    ],
)
def test_what_cannot_be_read_is_refused(admin: User, path: str, query: dict[str, str]) -> None:
    answer = client_of(admin).get(path, query, headers={"Accept": "text/csv"})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(query)
    assert count_export_connections() == 0


@pytest.mark.parametrize("path", [EXECUTIONS, STATUS_LOG])
def test_an_export_shows_all_rows_as_of_one_time(execution: Execution, admin: User, path: str) -> None:
    before = lines(admin, path)
    answer: Any = client_of(admin).get(path, {"format": "jsonl"}, headers={"Accept": "application/x-ndjson"})
    position = StatusLog.objects.newest().pk
    execution.update_status("RUNNING")
    ExecutionFactory()
    during = [json.loads(line) for line in b"".join(answer).decode().splitlines()]
    for line in (*before, *during):
        line.pop("duration", None)
    assert during == before
    assert answer[POSITION_HEADER] == str(position)
    assert f"-{position}.jsonl" in answer["Content-Disposition"]


def test_a_response_that_nobody_reads_closes_its_connection(execution: Execution, admin: User) -> None:
    answer = client_of(admin).get(EXECUTIONS)
    assert isinstance(answer, StreamingHttpResponse)
    assert count_export_connections() == 1
    answer.close()
    assert eventually(lambda: count_export_connections() == 0)
    assert b"".join(client_of(admin).head(EXECUTIONS)) == b""
    assert eventually(lambda: count_export_connections() == 0)
