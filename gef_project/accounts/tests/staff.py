"""Staff with just the permissions that a test is about."""

from django.apps import apps
from django.contrib.auth.models import Group, Permission

from gef_project.accounts.models import User
from gef_project.operations import roles

from .factories import UserFactory


def staff(*codenames: str) -> User:
    user = UserFactory(is_staff=True)
    permissions = Permission.objects.filter(codename__in=codenames)
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)
    return user


def member_of(role: str) -> User:
    roles.install(apps)  # a test that empties the tables takes the groups with it
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user
