"""Scripts in the admin."""

import pytest
from django.test import Client
from django.urls import reverse

from executions.models import Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff

from .admin_pages import SCRIPTS, as_staff
from .factories import ScriptFactory

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
