"""Users in the admin, and its first page."""

import pytest
from django.test import Client
from django.urls import reverse

from executions.models import Execution
from gef_project.accounts.models import User
from status.models import StatusLog

from .factories import UserFactory
from .staff import staff

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
LIST = reverse("admin:accounts_user_changelist")
PASSWORD = "a long enough phrase"


def page(user: User, name: str = "change") -> str:
    return reverse(f"admin:accounts_user_{name}", args=[user.pk])


@pytest.fixture
def superuser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def fields_of(user: User, **changed: object) -> dict[str, object]:
    return {"email": user.email, "name": user.name, "is_active": "on", **changed}


def test_the_first_page_opens_for_staff(client: Client, owner: User, admin: User) -> None:
    assert client.get(INDEX).status_code == 302
    for user, models in [(staff(), False), (staff("view_statuslog"), True), (admin, True)]:
        client.force_login(user)
        response = client.get(INDEX)
        assert "Execution tracking" in response.text
        assert bool(response.context["app_list"]) is models
    client.force_login(owner)
    assert client.get(INDEX).status_code == 302


@pytest.mark.parametrize(
    "url",
    sorted(
        INDEX + f"{path}/"
        for path in (
            "auth/group",
            "django_celery_beat/periodictask",
            "django_celery_beat/crontabschedule",
            "django_celery_beat/intervalschedule",
            "django_celery_beat/solarschedule",
            "django_celery_beat/clockedschedule",
        )
    ),
)
def test_other_pages_open(superuser: Client, url: str) -> None:
    assert superuser.get(url).status_code == superuser.get(f"{url}add/").status_code == 200


def test_only_staff_with_permission_see_users(client: Client, owner: User, admin: User) -> None:
    for url in (LIST, page(owner)):
        client.logout()
        assert client.get(url).status_code == 302
        for user, expected in [(owner, 302), (staff(), 403), (staff("view_user"), 200), (admin, 200)]:
            client.force_login(user)
            assert client.get(url).status_code == expected


def test_search_by_email_and_name(superuser: Client, owner: User) -> None:
    UserFactory(name="Grace Hopper")
    for term, expected in [("OWNER@", "owner@example.org"), ("hopper", "Grace Hopper")]:
        found = superuser.get(LIST, {"q": term}).context["cl"].result_list
        assert [expected in (user.email, user.name) for user in found] == [True]


def test_the_list_shows_roles(superuser: Client) -> None:
    staff()
    html = superuser.get(LIST).text
    assert '<td class="field-role">SUPERADMIN</td>' in html
    assert '<td class="field-role">ADMIN</td>' in html


def test_a_user_is_added_with_an_email_and_a_password(superuser: Client) -> None:
    fields = {"email": "New@Example.org", "usable_password": "true"}
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    response = superuser.post(reverse("admin:accounts_user_add"), {**fields, **passwords})
    user = User.objects.get(email="new@example.org")
    assert response["Location"] == page(user)
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "OWNER@example.org"},
        {"email": "no address"},
        {"email": ""},
        {"password2": "another phrase"},
        {"password1": "12345", "password2": "12345"},
    ],
)
def test_a_user_that_cannot_be_is_refused(superuser: Client, owner: User, fields: dict[str, str]) -> None:
    good = {
        "email": "new@example.org",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    before = User.objects.count()
    response = superuser.post(reverse("admin:accounts_user_add"), {**good, **fields})
    assert response.context["errors"]
    assert User.objects.count() == before


def test_a_user_is_edited(superuser: Client, owner: User) -> None:
    superuser.post(page(owner), fields_of(owner, name="New Name", country="Kenya"))
    owner.refresh_from_db()
    assert (owner.name, owner.country, owner.email_notifications) == ("New Name", "Kenya", False)


def test_the_password_is_shown_as_its_hash_only_and_set_on_its_own_page(
    superuser: Client, owner: User
) -> None:
    assert 'href="../password/"' in superuser.get(page(owner)).text
    url = reverse("admin:auth_user_password_change", args=[owner.pk])
    fields = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    superuser.post(url, {**fields, "set-password": "Change password"})
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_who_is_no_superuser_gives_no_rights(client: Client, owner: User) -> None:
    editor = staff("view_user", "change_user")
    client.force_login(editor)
    for user in (owner, editor):
        client.post(page(user), fields_of(user, is_staff="on", is_superuser="on", name="Edited"))
        user.refresh_from_db()
        assert user.name == "Edited"
        assert not user.is_superuser
    assert not owner.is_staff


def test_who_is_no_superuser_does_not_touch_one(client: Client, admin: User) -> None:
    client.force_login(staff("view_user", "change_user", "delete_user"))
    password = reverse("admin:auth_user_password_change", args=[admin.pk])
    for url in (page(admin), page(admin, "delete"), password):
        assert client.post(url, {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": admin.pk, "post": "yes"})
    assert User.objects.filter(pk=admin.pk).exists()


@pytest.mark.parametrize("bulk", [True, False])
def test_deleting_a_user_says_what_goes_too_and_is_attributed(
    superuser: Client, admin: User, execution: Execution, owner: User, bulk: bool
) -> None:
    url, fields = page(owner, "delete"), {}
    if bulk:
        url, fields = LIST, {"action": "delete_selected", "_selected_action": str(owner.pk)}
    html = superuser.post(url, fields).text if bulk else superuser.get(url).text
    assert "<li>Executions: 1</li>" in html
    superuser.post(url, {**fields, "post": "yes"})
    assert not User.objects.filter(pk=owner.pk).exists()
    log = StatusLog.objects.newest()
    assert (log.execution_id, log.status_to, log.actor, log.source) == (execution.pk, None, admin, "admin")
