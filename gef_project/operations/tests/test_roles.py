"""The roles of staff: what the groups may do, and what a migration makes of staff that is there already."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from gef_project.accounts.tests.staff import member_of, staff
from gef_project.operations import roles

pytestmark = pytest.mark.django_db


def test_each_role_may_do_more_than_the_one_before() -> None:
    viewer, operator, maintainer = (member_of(role).get_all_permissions() for role in roles.ROLES)
    assert {permission.split(".")[1].split("_")[0] for permission in viewer} == {"view"}
    assert operator - viewer == {"executions.cancel_execution", "executions.run_script"}
    assert viewer < operator < maintainer


def test_roles_name_permissions_as_django_does() -> None:
    before = set(Permission.objects.values_list("content_type", "codename", "name"))
    Group.objects.all().delete()
    Permission.objects.all().delete()
    roles.install(apps)
    assert set(Permission.objects.values_list("content_type", "codename", "name")) < before


def test_a_group_that_exists_is_left_alone() -> None:
    roles.install(apps)
    group = Group.objects.get(name="Operator")
    group.permissions.clear()
    roles.install(apps)
    assert not group.permissions.exists()


def test_staff_without_any_permission_keeps_what_it_could_do_by_the_api(admin: User) -> None:
    bare, chosen, user = staff(), staff("view_execution"), UserFactory()
    roles.install(apps)
    roles.keep_rights_of_staff(apps)
    assert list(Group.objects.get(name="Maintainer").user_set.all()) == [bare]
    assert not chosen.groups.exists()
    assert not user.groups.exists()
    assert not admin.groups.exists()
