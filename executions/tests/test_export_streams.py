"""Exports by both kinds of web server: in constant memory, and cut off visibly when they fail."""

from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests
from django.db import connection

from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.tests.servers import DEPLOYED, EVENT_LOOP, Server, web_server
from status.models import StatusLog

from .export_connections import count_export_connections, kill_export_connections
from .factories import ExecutionFactory
from .processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = 1024 * 1024


@pytest.fixture(params=[DEPLOYED, EVENT_LOOP], ids=["deployed", "event loop"])
def server(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Server]:
    with web_server(request.param) as server:
        yield server


@pytest.fixture
def large(execution: Execution) -> None:
    """Enough of it to fill every buffer between the server and its client many times."""
    batch = [ExecutionFactory.build(script=execution.script, user=execution.user) for _ in range(400)]
    for one in batch:
        one.params = {"x": "x" * 100_000}
    Execution.objects.bulk_create(batch)


def export(server: Server, admin: User, path: str = "/api/v1/execution/export", **query: str) -> Any:
    answer = requests.get(
        server.url + path,
        params=query,
        headers={"Authorization": f"Bearer {refresh_token_for(admin).access_token}"},
        stream=True,
        timeout=30,
    )
    answer.raise_for_status()
    return answer


def memory_of(server: Server) -> int:
    workers = psutil.Process(server.pid).children()
    return sum(worker.memory_info().rss for worker in workers)


def insert_executions(like: Execution, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO executions_execution"
            " (id, script_id, user_id, params, results, status, progress, start_date, worker)"
            " SELECT gen_random_uuid(), script_id, user_id, params, results, status, progress, start_date, ''"
            " FROM executions_execution, generate_series(1, %s) WHERE id = %s",
            [count, like.pk],
        )
        cursor.execute("ANALYZE status_log")  # the ledger's trigger has a plan for the table as it was


@pytest.mark.parametrize("path", ["/api/v1/execution/export", "/api/v1/status/export"])
def test_it_is_whole_and_in_constant_memory(
    server: Server, execution: Execution, admin: User, path: str
) -> None:
    def most_memory() -> int:
        most, size, rows = 0, 0, 0
        for part in export(server, admin, path, format="jsonl").iter_content(MEGABYTE):
            most = max(most, memory_of(server))
            size, rows = size + len(part), rows + part.count(b"\n")
        assert rows == (StatusLog if "status" in path else Execution).objects.count()
        sizes.append(size)
        return most

    sizes: list[int] = []
    insert_executions(execution, 1_000)
    insert_executions(execution, 9_000)
    most_memory()  # what Python takes once and keeps
    earlier = most_memory()
    insert_executions(execution, 40_000)
    later = most_memory()
    assert later - earlier < (sizes[2] - sizes[1]) / 3
    assert sizes[2] - sizes[1] > 12 * MEGABYTE


@pytest.mark.usefixtures("large")
def test_a_client_that_disconnects_closes_the_connection(server: Server, admin: User) -> None:
    answer = export(server, admin, include="params")
    answer.raw.read(1000)
    assert count_export_connections() == 1
    answer.close()
    assert eventually(lambda: count_export_connections() == 0)


@pytest.mark.usefixtures("large")
def test_an_export_that_fails_is_cut_off(server: Server, admin: User) -> None:
    answer = export(server, admin, include="params")
    answer.raw.read(1000)
    kill_export_connections()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        answer.content  # noqa: B018
    assert export(server, admin, date_to="2000-01-01").content.count(b"\n") == 1
