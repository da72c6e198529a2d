"""Staff with just the permissions that a test is about."""

from django.contrib.auth.models import Permission

from gef_project.accounts.models import User

from .factories import UserFactory


def staff(*codenames: str) -> User:
    user = UserFactory(is_staff=True)
    permissions = Permission.objects.filter(codename__in=codenames)
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)
    return user
