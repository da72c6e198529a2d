"""The workers, as the nodes of a cluster."""

from collections.abc import Iterator

import pytest
from celery import current_app
from django.core.cache import cache

from executions.tests.factories import ExecutionFactory, ScriptFactory
from executions.tests.processes import eventually, started_worker
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.states import Status

pytestmark = pytest.mark.django_db

CLUSTER = "/api/v1/status/cluster"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_without_a_worker_it_says_so(admin: User) -> None:
    data = client_of(admin).get(CLUSTER).json()["data"]
    assert data == {
        "swarm_active": False,
        "error": "No worker answers.",
        "nodes": [],
        "total_nodes": 0,
        "total_managers": 0,
        "total_workers": 0,
        "cache_info": data["cache_info"],
    }


def test_without_a_broker_it_says_so(admin: User, broker_down: None) -> None:
    data = client_of(admin).get(CLUSTER).json()["data"]
    assert data["swarm_active"] is False
    assert data["error"].startswith("The broker cannot be asked: ")


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_a_node_and_asked_every_few_seconds_only(admin: User) -> None:
    sleeping = ScriptFactory(command=["python", "-c", "import time; time.sleep(60)"])
    with started_worker("http://127.0.0.1:9"):
        execution = ExecutionFactory(script=sleeping)
        current_app.send_task("executions.tasks.run_execution", [str(execution.pk)])
        eventually(lambda: type(execution).objects.get().status == Status.RUNNING)
        data = client_of(admin).get(CLUSTER).json()["data"]
        assert client_of(admin).get("/api/v1/status/swarm").json()["data"] == data
    (node,) = data["nodes"]
    assert (data["swarm_active"], data["error"], data["total_workers"]) == (True, None, 1)
    assert (node["role"], node["state"], node["running_tasks"]) == ("worker", "ready", 1)
    assert client_of(admin).get(CLUSTER).json()["data"] == data


@pytest.mark.parametrize("name", ["cluster", "swarm"])
def test_it_is_for_staff(owner: User, name: str) -> None:
    assert client_of(owner).get(f"/api/v1/status/{name}").status_code == 403
