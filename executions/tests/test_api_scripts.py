"""Listing, reading, writing and running scripts."""

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.models import StatusLog

from .factories import ScriptFactory

pytestmark = pytest.mark.django_db

LIST = "/api/v1/script"
NEW = {"slug": "land-cover", "name": "Land cover 1_0_1", "command": ["python", "-c", "  print(1)"]}


@pytest.fixture
def draft(db: None) -> Script:
    return ScriptFactory(slug="draft", published=False)


def test_a_script_has_these_keys(script: Script, owner: User) -> None:
    data = client_of(owner).get(f"{LIST}/{script.pk}").json()["data"]
    assert data == {
        "id": str(script.pk),
        "name": "Sums",
        "slug": "sums",
        "description": "",
        "created_at": f"{script.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "updated_at": f"{script.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "user_id": "00000000-0000-0000-0000-000000000000",
        "status": "SUCCESS",
        "public": True,
        "published": True,
        "cpu_reservation": None,
        "cpu_limit": None,
        "memory_reservation": None,
        "memory_limit": None,
        "uses_gee": False,
    }


def test_staff_see_what_it_runs(script: Script, admin: User) -> None:
    data = client_of(admin).get(f"{LIST}/sums").json()["data"]
    assert (data["command"], data["time_limit"]) == (script.command, 3600)


def test_users_see_published_scripts_only(script: Script, draft: Script, owner: User) -> None:
    body = client_of(owner).get(LIST).json()
    assert set(body) == {"data"}
    assert [row["slug"] for row in body["data"]] == ["sums"]
    assert client_of(owner).get(f"{LIST}/draft").status_code == 404
    assert client_of(owner).post(f"{LIST}/draft/run", {}).status_code == 404


def test_staff_see_all(script: Script, draft: Script, admin: User) -> None:
    body = client_of(admin).get(f"{LIST}?page=1&per_page=1").json()
    assert (len(body["data"]), body["total"]) == (1, 2)


def test_staff_add_a_script(admin: User) -> None:
    answer = client_of(admin).post(LIST, NEW)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["user_id"], data["published"], data["command"]) == (str(admin.pk), False, NEW["command"])
    assert Script.objects.get(slug="land-cover").command == NEW["command"]


@pytest.mark.parametrize(
    "change",
    [
        {"command": []},
        {"command": "python"},
        {"command": ["a\x00b"]},
        {"command": ["\ud800"]},
        {"command": [""]},
        {"command": [["a"]]},
        {"slug": "has spaces"},
        {"slug": "sums"},
        {"name": ""},
        {"time_limit": 0},
        {"time_limit": 2**40},
    ],
)
def test_a_script_that_cannot_run_is_refused(script: Script, admin: User, change: dict[str, object]) -> None:
    answer = client_of(admin).post(LIST, {**NEW, **change})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(change)


def test_staff_change_a_script(script: Script, admin: User) -> None:
    answer = client_of(admin).patch(f"{LIST}/sums", {"published": False})
    assert answer.json()["data"]["public"] is False
    assert client_of(admin).put(f"{LIST}/sums", {"name": "x"}).status_code == 400
    answer = client_of(admin).put(f"{LIST}/sums", NEW)
    assert answer.json()["data"]["slug"] == "land-cover"


def test_a_run_is_created_and_queued_after_commit(
    script: Script, owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    params = {"task_name": "A", "geojsons": [{"a": "\x00"}], "n": 1}
    with django_capture_on_commit_callbacks() as queued:
        answer = client_of(owner).post(f"{LIST}/sums/run?n=2&format=tiff", params)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["status"], data["user_id"], data["script_id"]) == ("PENDING", str(owner.pk), str(script.pk))
    assert data["params"] == {**params, "format": "tiff"}
    assert Execution.objects.get(pk=data["id"]).params == data["params"]
    assert data["queued_at"] is not None
    assert len(queued) == 1
    newest = StatusLog.objects.newest()
    assert (newest.status_from, newest.status_to) == (None, "PENDING")
    assert (newest.actor, newest.source) == (owner, "api")


def test_a_run_needs_no_body(script: Script, owner: User) -> None:
    assert client_of(owner).post(f"{LIST}/{script.pk}/run").json()["data"]["params"] == {}


@pytest.mark.parametrize("body", [[], "text", 1])
def test_params_are_an_object(script: Script, owner: User, body: object) -> None:
    assert client_of(owner).post(f"{LIST}/sums/run", body).status_code == 400
    assert not Execution.objects.exists()
