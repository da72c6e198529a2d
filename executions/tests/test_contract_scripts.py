"""Section 6 of the clients' contract: scripts. See ``test_api_scripts.py`` too."""

from uuid import UUID

import pytest

from executions.api.filter_fields import SCRIPT_FIELDS
from executions.models import Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of

from .factories import ScriptFactory

pytestmark = pytest.mark.django_db

LIST = "/api/v1/script"


def test_the_plugin_reads_the_whole_list(owner: User) -> None:
    ScriptFactory.create_batch(25)
    body = client_of(owner).get(LIST).json()
    assert set(body) == {"data"}
    assert len(body["data"]) == 25
    assert {row["status"] for row in body["data"]} == {"SUCCESS"}
    assert all(isinstance(row["description"], str) for row in body["data"])
    # The plugin reads each as a UUID, also where nobody is known to have made the script.
    assert all(UUID(row[name]) is not None for row in body["data"] for name in ("id", "user_id"))


def test_the_web_page_counts_by_the_total(owner: User) -> None:
    ScriptFactory.create_batch(3)
    body = client_of(owner).get(f"{LIST}?page=1&per_page=1").json()
    assert (len(body["data"]), body["page"], body["per_page"], body["total"]) == (1, 1, 1, 3)


def test_a_name_may_hold_a_version(owner: User) -> None:
    ScriptFactory(name="land-cover 1_0_1", slug="land-cover-1_0_1")
    assert client_of(owner).get(f"{LIST}/land-cover-1_0_1").json()["data"]["name"] == "land-cover 1_0_1"


@pytest.mark.parametrize("query", ["", "?include=logs", "?include=nonsense"])
def test_a_script_is_found_by_id_and_by_slug(script: Script, owner: User, query: str) -> None:
    by_id, by_slug = (client_of(owner).get(f"{LIST}/{name}{query}") for name in (script.pk, script.slug))
    assert by_id.status_code == 200
    assert by_id.json() == by_slug.json()


def test_the_command_line_tool_gets_the_lines_of_the_log_with_the_script(
    script: Script, owner: User, admin: User
) -> None:
    for user in (owner, admin):
        plain, included = (
            client_of(user).get(f"{LIST}/{script.pk}{query}").json()["data"]
            for query in ("", "?include=user,logs")
        )
        assert included == {**plain, "logs": []}


@pytest.mark.parametrize("query", ["", "?start=2026-01-01T00:00:00 00:00"])
def test_nothing_is_built_so_a_script_has_no_log(script: Script, owner: User, query: str) -> None:
    for name in (script.pk, script.slug):
        assert client_of(owner).get(f"{LIST}/{name}/log{query}").json() == {"data": []}


def test_a_moment_that_cannot_be_read_is_400(script: Script, owner: User) -> None:
    answer = client_of(owner).get(f"{LIST}/sums/log?start=x")
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"start"})


def test_the_web_pages_grid_is_narrowed_and_sorted(owner: User, admin: User) -> None:
    for name in ("Land cover", "land use", "Soil"):
        ScriptFactory(name=name, user=owner)
    query = {
        "include": "user_name,access_control",
        "filter": "name like '%LAND%',(status='SUCCESS' OR status='FAIL'),public='true'",
        "sort": "name desc",
        "page": "1",
        "per_page": "50",
    }
    body = client_of(owner).get(LIST, query).json()
    assert ([row["name"] for row in body["data"]], body["total"]) == (["land use", "Land cover"], 2)
    by_name = client_of(admin).get(LIST, {"filter": f"user_name='{owner.name}'", "sort": "status"}).json()
    assert len(by_name["data"]) == 3


@pytest.mark.parametrize("query", [{"filter": "command='x'"}, {"filter": "public=1"}, {"sort": "logs"}])
def test_what_cannot_be_understood_is_400_and_never_everything(
    script: Script, admin: User, query: dict[str, str]
) -> None:
    answer = client_of(admin).get(LIST, query)
    assert (answer.status_code, "position" in answer.json()) == (400, True)


def test_who_made_a_script_is_for_staff_to_ask_by_name(script: Script, owner: User) -> None:
    assert client_of(owner).get(LIST, {"filter": "user_name='x'"}).status_code == 403


@pytest.mark.parametrize("column", SCRIPT_FIELDS)
def test_a_list_can_be_sorted_by_every_field(script: Script, admin: User, column: str) -> None:
    for direction in ("asc", "desc"):
        assert client_of(admin).get(LIST, {"sort": f"{column} {direction}"}).status_code == 200
