"""What the tests of this app share."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from gef_project.accounts.models import User

from .processes import Celery, started_worker


@pytest.fixture
def superuser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def worker(live_server: LiveServer) -> Iterator[Celery]:
    """A Celery worker, whose runs find the API on a web server that runs too."""
    with started_worker(live_server.url) as process:
        yield process
