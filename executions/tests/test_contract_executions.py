"""Section 4 of the clients' contract: executions. For lists see ``test_filter_and_sort.py`` too."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.states import Status

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db

LIST = "/api/v1/execution"
Q_PAGE = "include=script&exclude=params,results&per_page=100"


def rows(answer) -> list[dict[str, object]]:
    assert answer.status_code == 200
    data: list[dict[str, object]] = answer.json()["data"]
    return data


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_one_that_the_plugin_knows(owner: User, status: Status) -> None:
    execution = ExecutionFactory(user=owner, status=status)
    data = client_of(owner).get(f"{LIST}/{execution.pk}").json()["data"]
    assert data["status"] in {"PENDING", "READY", "RUNNING", "FINISHED", "FAILED", "CANCELLED"}
    assert (data["end_date"] is None) == (status in ("PENDING", "READY", "RUNNING"))
    assert type(data["progress"]) is int
    assert all(UUID(data[name]) for name in ("id", "script_id", "user_id"))
    assert (data["params"], data["results"]) == ({}, {})


def test_the_plugin_reads_page_after_page_until_it_has_all(
    owner: User, stranger: User, script: Script
) -> None:
    own = {str(one.pk) for one in ExecutionFactory.create_batch(5, user=owner, script=script)}
    ExecutionFactory(user=stranger)
    Execution.objects.update(start_date=timezone.now())
    seen: list[object] = []
    total, page = 1, 1
    while len(seen) < total:
        query = f"{Q_PAGE}&updated_at={timezone.now() - timedelta(days=14):%Y-%m-%d}&page={page}"
        answer = client_of(owner).get(f"{LIST}/user?{query.replace('=100', '=2')}")
        found = rows(answer)
        assert all(row["script"]["status"] == "SUCCESS" and "params" not in row for row in found)  # type: ignore[index]
        seen += [row["id"] for row in found]
        total, page = answer.json()["total"], page + 1
    assert sorted(seen, key=str) == sorted(own)


def test_the_web_pages_grid_is_narrowed_and_sorted(admin: User, owner: User, script: Script) -> None:
    ExecutionFactory(user=owner, script=script, status=Status.FAILED)
    running = ExecutionFactory(user=owner, script=script, status=Status.RUNNING)
    query = {
        "include": "script_name,user_name,user_email,duration,id,status,params",
        "exclude": "params,results",
        "filter": "(status='RUNNING' OR status='PENDING'),script_name like '%sum%',progress<=100,"
        "duration<3600,"
        f"start_date>='{timezone.now():%Y-%m-%d} 00:00:00',user_email like '%owner@%'",
        "sort": "end_date desc,user_name asc",
        "page": "1",
        "per_page": "50",
    }
    answer = client_of(admin).get(LIST, query)
    (row,) = rows(answer)
    assert row["id"] == str(running.pk)
    assert (row["script_name"], row["user_email"]) == ("Sums", owner.email)
    assert isinstance(row["duration"], float)
    assert {name: answer.json()[name] for name in ("page", "per_page", "total")} == {
        "page": 1,
        "per_page": 50,
        "total": 1,
    }


def test_the_grid_asks_for_one_time_or_another(owner: User) -> None:
    days = {}
    for day in (1, 10, 20):
        days[day] = ExecutionFactory(user=owner)
        Execution.objects.filter(pk=days[day].pk).update(start_date=datetime(2026, 1, day, 12, tzinfo=UTC))
    query = {
        "filter": "(start_date>='2026-01-01 00:00:00',start_date<='2026-01-02 00:00:00'"
        " OR start_date>='2026-01-15 00:00:00')",
        "sort": "start_date asc",
    }
    found = [row["id"] for row in rows(client_of(owner).get(LIST, query))]
    assert found == [str(days[1].pk), str(days[20].pk)]


def test_what_the_grid_escapes_stands_for_itself(owner: User) -> None:
    for name in ("100% sure", "100 sure", "it's", "a_b", "axb"):
        script = Script.objects.create(name=name, slug=str(uuid4()), command=["true"])
        ExecutionFactory(user=owner, script=script)
    for pattern, expected in ((r"%100\%%", "100% sure"), ("%it''s%", "it's"), (r"%a\_b%", "a_b")):
        query = {"filter": f"script_name like '{pattern}'", "include": "script_name"}
        assert [row["script_name"] for row in rows(client_of(owner).get(LIST, query))] == [expected]


def test_without_paging_nothing_is_cut_off(owner: User, script: Script) -> None:
    Execution.objects.bulk_create(Execution(user=owner, script=script) for _ in range(1001))
    assert len(rows(client_of(owner).get(LIST, {"exclude": "params,results"}))) == 1001


def test_somebody_elses_an_unknown_and_a_malformed_one_are_404(execution: Execution, stranger: User) -> None:
    for pk in (execution.pk, uuid4(), "1", "null", "undefined", "a" * 500, "%00", "x'--"):
        answer = client_of(stranger).get(f"{LIST}/{pk}?exclude=params")
        assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_worker_reports_a_whole_run(execution: Execution, admin: User) -> None:
    def report(**fields: object) -> dict[str, object]:
        answer = client_of(admin).patch(f"{LIST}/{execution.pk}", fields)
        assert answer.status_code == 200
        data: dict[str, object] = answer.json()["data"]
        return data

    running = report(status="RUNNING")
    assert (running["status"], running["end_date"], running["progress"]) == ("RUNNING", None, 0)
    assert report(progress=33.7)["progress"] == 33
    finished = report(results={"a": [1, {"b": None}]}, status="FINISHED")
    assert (finished["status"], finished["progress"]) == ("FINISHED", 100)
    assert finished["results"] == {"a": [1, {"b": None}]}
    assert finished["end_date"] is not None
    assert report(results={"a": [1, {"b": None}]}, status="FINISHED") == finished


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "CANCELLED"])
def test_an_end_sets_progress_unless_one_is_sent(admin: User, status: str) -> None:
    for sent, kept in (({}, 100), ({"progress": 40}, 40)):
        execution = ExecutionFactory()
        answer = client_of(admin).patch(f"{LIST}/{execution.pk}", {"status": status, **sent})
        assert answer.json()["data"]["progress"] == kept


def test_a_worker_that_outlived_a_cancel_is_told_so_and_not_to_try_again(
    execution: Execution, owner: User, admin: User
) -> None:
    client_of(admin).patch(f"{LIST}/{execution.pk}", {"status": "RUNNING"})
    assert client_of(owner).post(f"{LIST}/{execution.pk}/cancel").status_code == 202
    for late in ({"status": "RUNNING"}, {"progress": 55}, {"status": "FINISHED", "results": {"a": 1}}):
        assert client_of(admin).patch(f"{LIST}/{execution.pk}", late).status_code == 409
    stored = Execution.objects.get()
    assert (stored.status, stored.progress, stored.results) == ("CANCELLED", 100, {})
    assert execution.logs.count() == 3


def test_a_run_keeps_its_parameters_and_is_pending(script: Script, owner: User) -> None:
    body = {"task_name": "A", "task_notes": "", "local_context": {"x": 1}, "geojsons": [{"type": "Point"}]}
    for name in (script.pk, script.slug):
        answer = client_of(owner).post(f"/api/v1/script/{name}/run?lang=en", body)
        data = answer.json()["data"]
        assert (answer.status_code, data["status"], data["params"]) == (
            200,
            "PENDING",
            {**body, "lang": "en"},
        )
    assert client_of(owner).post("/api/v1/script/unknown/run", {}).status_code == 404


@pytest.mark.parametrize("name", ["docker-logs", "batch-logs"])
def test_there_are_no_logs_of_containers(execution: Execution, admin: User, name: str) -> None:
    answer = client_of(admin).get(f"{LIST}/{execution.pk}/{name}")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "serialize"},
        {"sort": "-start_date"},
        {"filter": "serialize='x'"},
        {"filter": "status"},
        {"updated_at": "2026-13-01"},
        {"updated_at": "0000-00-00"},
        {"page": "1e3"},
        {"per_page": "many"},
        {"user_id": "me"},
        {"script_id": "\0"},
    ],
)
def test_what_cannot_be_understood_is_400_and_never_everything(
    execution: Execution, admin: User, query: dict[str, str]
) -> None:
    for path in (LIST, f"{LIST}/user"):
        answer = client_of(admin).get(path, query)
        assert (answer.status_code, answer.json()["status"]) == (400, 400)
