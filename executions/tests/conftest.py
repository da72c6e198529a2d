import pytest
from django.test import Client

from gef_project.accounts.models import User


@pytest.fixture
def superuser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client
