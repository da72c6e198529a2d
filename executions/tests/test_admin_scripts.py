"""Scripts in the admin."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from executions.admin.script_runs import Times
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from status.states import Status
from status.tests.ledger_builders import execute_without_triggers

from .admin_pages import SCRIPTS, as_staff, last_transition, messages, page
from .factories import ExecutionFactory, ScriptFactory

pytestmark = pytest.mark.django_db


def script_fields(**fields: str) -> dict[str, str]:
    return {"name": "Sums", "slug": "sums", "command": '["python", "-V"]', "time_limit": "60", **fields}


def test_only_staff_with_permission_see_scripts(
    client: Client, script: Script, owner: User, admin: User
) -> None:
    for url in (SCRIPTS, reverse("admin:executions_script_change", args=[script.pk])):
        client.logout()
        assert client.get(url).status_code == 302
        for user, expected in [(owner, 302), (staff(), 403), (staff("view_script"), 200), (admin, 200)]:
            client.force_login(user)
            assert client.get(url).status_code == expected


def test_a_new_script_is_made_by_who_adds_it(client: Client) -> None:
    user = as_staff(client, "add_script")
    client.post(reverse("admin:executions_script_add"), script_fields())
    script = Script.objects.get()
    assert (script.user, script.command) == (user, ["python", "-V"])


def test_editing_a_script_leaves_its_maker_alone(superuser: Client) -> None:
    maker = staff()
    script = ScriptFactory(user=maker)
    url = reverse("admin:executions_script_change", args=[script.pk])
    superuser.post(url, script_fields(name="Sums of squares"))
    script.refresh_from_db()
    assert (script.name, script.user) == ("Sums of squares", maker)


@pytest.mark.parametrize("command", ["", "[]", "{}", '"ls"', "ls -l", '["ls", 1]', '["ls", ""]', "null"])
def test_a_command_that_is_no_list_of_strings_is_refused(superuser: Client, command: str) -> None:
    response = superuser.post(reverse("admin:executions_script_add"), script_fields(command=command))
    assert "command" in response.context["adminform"].form.errors
    assert not Script.objects.exists()


# --- The list -------------------------------------------------------------------------------------------


def test_the_list_shows_the_last_run_and_the_failure_rate(superuser: Client, script: Script) -> None:
    for status in (Status.FAILED, Status.FINISHED, Status.FINISHED, Status.CANCELLED, Status.RUNNING):
        last = ExecutionFactory(script=script, status=status)
    ScriptFactory(slug="never-run", name="A script")
    html = superuser.get(SCRIPTS).text
    assert f"{last.start_date:%Y-%m-%d %H:%M:%S} UTC</time>" in html
    assert '<td class="field-failure_rate">25%</td>' in html
    assert '<td class="field-last_run">never</td>' in html


def test_more_scripts_and_runs_cost_no_more_queries(superuser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            superuser.get(SCRIPTS)
        return len(captured)

    ExecutionFactory()
    few = queries()
    ExecutionFactory.create_batch(5)
    assert queries() == few


@pytest.mark.parametrize("query", ["command__regex=(", "executions__params__a=1", "name__regex=(((", "x=1"])
def test_other_look_ups_are_refused(superuser: Client, query: str) -> None:
    assert superuser.get(f"{SCRIPTS}?{query}").status_code == 400


# --- The page of one script -----------------------------------------------------------------------------


def script_page(script: Script, name: str = "change") -> str:
    return reverse(f"admin:executions_script_{name}", args=[script.pk])


def test_the_page_shows_the_last_runs(superuser: Client, script: Script) -> None:
    runs = [ExecutionFactory(script=script, status=status) for status in (Status.FINISHED, Status.FAILED)]
    execute_without_triggers(
        "UPDATE executions_execution SET started_at = start_date + interval '5 s',"
        " end_date = start_date + interval '65 s'"
    )
    html = superuser.get(script_page(script)).text
    assert "<dd>50%</dd>" in html
    assert "median 1 min 0 s, 95% within 1 min 0 s" in html
    assert "median 5.0 s, 95% within 5.0 s" in html
    for run in runs:
        assert f'class="status-{run.status.lower()}" href="{page(run)}"' in html


def test_more_runs_cost_the_page_no_more_queries(superuser: Client, script: Script) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            superuser.get(script_page(script))
        return len(captured)

    ExecutionFactory(script=script)
    few = queries()
    ExecutionFactory.create_batch(5, script=script)
    assert queries() == few


def test_the_page_of_a_script_that_was_never_run_says_so(superuser: Client, script: Script) -> None:
    assert "It has not been run yet." in superuser.get(script_page(script)).text


def test_runs_are_shown_to_those_who_may_see_executions(client: Client, execution: Execution) -> None:
    as_staff(client, "view_script")
    assert page(execution) not in client.get(script_page(execution.script)).text


def test_the_command_is_shown_an_argument_a_line(client: Client, superuser: Client, script: Script) -> None:
    script.command = ["python", "-c", "print('<é>')\nprint(2)"]
    script.save()
    form = superuser.get(script_page(script)).context["adminform"].form
    assert form["command"].value() == json.dumps(script.command, indent=2, ensure_ascii=False)
    as_staff(client, "view_script")
    html = client.get(script_page(script)).text
    assert "<li><code>python</code></li><li><code>-c</code></li><li><code>print(&#x27;&lt;é&gt;" in html


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([], Times(None, None)), ([3], Times(3, 3)), (range(101), Times(50, 95)), ([1, 1, 1, 9], Times(1, 7.8))],
)
def test_median_and_percentile(seconds: list[float], expected: Times) -> None:
    times = Times.of(seconds)
    assert (times.median, times.p95) == pytest.approx((expected.median, expected.p95))


# --- Running --------------------------------------------------------------------------------------------


def run(client: Client, script: Script, params: str) -> Any:
    return client.post(script_page(script, "run"), {"params": params})


def test_a_run_begins_with_the_last_params_and_is_attributed(client: Client, script: Script) -> None:
    user = as_staff(client, "view_script", "run_script", "view_execution")
    ExecutionFactory(script=script, params={"older": 1})
    ExecutionFactory(script=script, params={"n": [1, "é", "\0"]})
    assert script_page(script, "run") in client.get(script_page(script)).text
    form = client.get(script_page(script, "run")).context["form"]
    assert json.loads(form["params"].value()) == {"n": [1, "é", "\0"]}
    response = run(client, script, form["params"].value())
    execution = Execution.objects.first()
    assert execution is not None
    assert (execution.params, execution.user) == ({"n": [1, "é", "\0"]}, user)
    assert response["Location"] == page(execution)
    assert messages(response) == [f"Execution {execution.pk} has been created."]
    assert last_transition() == (None, Status.PENDING, user, "admin")


def test_a_run_is_repeated_with_its_own_params(client: Client, script: Script) -> None:
    as_staff(client, "view_script", "run_script", "view_execution")
    older = ExecutionFactory(script=script, params={"older": 1})
    newest = ExecutionFactory(script=script, params={"newest": 1})
    other = ExecutionFactory(params={"of another script": 1})
    link = f"{script_page(script, 'run')}?like={older.pk}"
    assert link in client.get(page(older)).text
    for like, expected in [
        (older.pk, older.params),
        ("odd", newest.params),
        ("\0", newest.params),
        (other.pk, {}),
    ]:
        form = client.get(script_page(script, "run"), {"like": like}).context["form"]
        assert json.loads(form["params"].value()) == expected


def test_params_are_for_those_who_may_see_executions(client: Client, script: Script) -> None:
    as_staff(client, "view_script", "run_script")
    ExecutionFactory(script=script, params={"secret": 1})
    assert client.get(script_page(script, "run")).context["form"]["params"].value() == "{}"


def test_long_params_are_not_filled_in(superuser: Client, script: Script) -> None:
    ExecutionFactory(script=script, params={"long": "x" * 100_000})
    assert superuser.get(script_page(script, "run")).context["form"]["params"].value() == "{}"


@pytest.mark.parametrize(
    "params", ["", "{", "[]", "NaN", '{"a": NaN}', "[" * 100_000, '{"a": 1e999}', "\0", '"text"', "9" * 5000]
)
def test_params_that_are_no_object_are_shown_again_with_the_error(
    superuser: Client, script: Script, params: str
) -> None:
    response = run(superuser, script, params)
    form = response.context["form"]
    assert response.status_code == 200
    assert form.errors["params"]
    assert form["params"].value() == params
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("permissions", "published", "status"),
    [
        (["view_script"], True, 403),
        (["run_script"], True, 403),
        (["view_script", "change_script"], True, 403),
        (["view_script", "run_script"], True, 302),
        (["view_script", "run_script"], False, 403),
        (["view_script", "run_script", "change_script"], False, 302),
    ],
)
def test_who_may_run(
    client: Client, script: Script, permissions: list[str], published: bool, status: int
) -> None:
    Script.objects.update(published=published)
    as_staff(client, *permissions)
    assert run(client, script, "{}").status_code == status
    assert Execution.objects.exists() is (status == 302)
    if "view_script" in permissions:
        link = script_page(script, "run") in client.get(script_page(script)).text
        assert link is (status == 302)
