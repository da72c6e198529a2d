"""Fixtures for all tests: the fixed users, a broker of their own, and a flush that the triggers allow."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from celery import Celery, current_app
from django.conf import settings as django_settings
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from kombu.exceptions import OperationalError
from playwright.sync_api import Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory, ScriptFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from gef_project.common.interruption import stop_on_signals
from gef_project.common.tests.browser import opened_browser
from gef_project.devserver.valkey import Server as ValkeyServer

# The same examples in every run. make nightly uses the profile explore, which looks for new examples, and
# shrinks those that fail, which takes minutes.
hypothesis.settings.register_profile(
    "steady",
    max_examples=15,
    derandomize=True,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.register_profile(
    "explore",
    hypothesis.settings.get_profile("steady"),
    max_examples=500,
    derandomize=False,
    phases=list(hypothesis.Phase),
    print_blob=True,
)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that make nightly sets."""
    parser.addoption(
        "--restarts", type=int, default=2, help="how often the readers of the change feed are interrupted"
    )
    parser.addoption(
        "--kills", type=int, default=1, help="how often each of a writer, the worker and PostgreSQL is killed"
    )
    parser.addoption(
        "--requests-per-operation",
        type=int,
        default=0,
        help="how many random requests schemathesis makes (default: 5, the same in every run)",
    )


def pytest_configure() -> None:
    """Stop the processes that tests have started, whichever signal ends the tests."""
    stop_on_signals()


def pytest_sessionstart() -> None:
    """Use the embedded server in xdist's main process, too, which ends last and then stops it."""
    connection.get_connection_params()


@pytest.fixture(autouse=True, scope="session")
def flush_without_triggers() -> Iterator[None]:
    """Let transactional tests truncate all tables afterwards, which the triggers refuse otherwise."""
    flush = DatabaseOperations.execute_sql_flush
    first_snapshot = "SELECT append_status_snapshot(NULL, 'migration', '')"

    def flush_without_triggers(self: DatabaseOperations, sql_list: list[str]) -> None:
        replica, origin = (f"SET session_replication_role = {role}" for role in ("replica", "origin"))
        flush(self, [replica, *sql_list, origin, first_snapshot])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush_without_triggers)
        yield


@pytest.fixture(autouse=True, scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' messages away from other workers.

    Each test process has its own Valkey, or its own queues on the broker of CELERY_BROKER_URL.
    """
    if not django_settings.CELERY_BROKER_URL.startswith("valkey://"):
        own = uuid.uuid4()
        current_app.conf.task_default_queue = f"test-{own}"
        current_app.conf.task_routes = {"executions.tasks.run_execution": {"queue": f"test-runs-{own}"}}
        yield
        return
    var_dir = tmp_path_factory.mktemp("broker")
    current_app.conf.broker_url = f"valkey://{var_dir}"
    valkey = ValkeyServer.for_this_process(var_dir)
    valkey.start()
    yield
    valkey.leave()


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    settings.EXECUTIONS_DIR = tmp_path / "executions"


@pytest.fixture
def short_lock_timeout(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every connection wait for a lock for at most 50 ms."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", "-c lock_timeout=50")
    connection.close()
    yield
    connection.close()


@pytest.fixture
def owner(db: None) -> User:
    return UserFactory(email="owner@example.org")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory(email="stranger@example.org")


@pytest.fixture
def admin(db: None) -> User:
    return UserFactory(email="admin@example.org", is_staff=True, is_superuser=True)


@pytest.fixture
def script(db: None) -> Script:
    return ScriptFactory(slug="sums")


@pytest.fixture
def execution(owner: User, script: Script) -> Execution:
    """An execution of the owner's, PENDING."""
    return ExecutionFactory(user=owner, script=script)


@pytest.fixture
def api() -> APIClient:
    """A client that nobody has logged in to."""
    return APIClient()


@pytest.fixture
def browser_page(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A browser that nobody has logged in with; the test fails if a page breaks its policy or its script."""
    # Playwright runs an event loop in this thread. Django expects no queries there, and gives them a
    # connection of their own, which would outlive the test.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with opened_browser(live_server.url) as page:
        yield page
        connection.close()


@pytest.fixture
def broker_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No message can be sent, since nothing listens on the broker's port."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery prefers it to the setting
    application = Celery("nowhere", set_as_current=False)
    application.config_from_object("django.conf:settings", namespace="CELERY")
    application.conf.broker_url = "redis://127.0.0.1:1/0"
    application.conf.broker_transport = "redis"
    application.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
    ours = current_app._get_current_object()
    application.set_current()
    with pytest.raises(OperationalError):
        current_app.send_task("nothing", retry=False)
    yield
    ours.set_current()
