"""The status code of every endpoint for every kind of caller, in one table."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory, ScriptFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from gef_project.accounts.tests.staff import member_of, staff

pytestmark = pytest.mark.django_db

# Staff are: one without any permission, and one of each role.
CALLERS = [
    "nobody",
    "stranger",
    "owner",
    "staff",
    "viewer",
    "operator",
    "maintainer",
    "own credential",
    "another's credential",
]
EVERYBODY = "200 200 200 200 200 200 200 200 200"
USERS = "401 200 200 200 200 200 200 403 403"
STAFF = "401 403 403 200 200 200 200 403 403"
VIEWERS = "401 403 403 403 200 200 200 403 403"
MAINTAINERS = "401 403 403 403 403 403 200 403 403"
READS = "401 404 200 404 200 200 200 200 404"

TABLE: dict[tuple[str, str], str] = {
    ("post", "/auth"): "400 400 400 400 400 400 400 400 400",
    ("post", "/auth/refresh"): "400 400 400 400 400 400 400 400 400",
    ("post", "/auth/logout"): USERS,
    ("post", "/auth/logout-all"): USERS,
    ("get", "/api-health"): EVERYBODY,
    ("get", "/api/v1/user/me"): USERS,
    ("patch", "/api/v1/user/me"): USERS,
    ("get", "/api/v1/script"): USERS,
    ("post", "/api/v1/script"): MAINTAINERS,
    ("get", "/api/v1/script/{id}"): USERS,
    ("put", "/api/v1/script/{id}"): MAINTAINERS,
    ("patch", "/api/v1/script/{id}"): MAINTAINERS,
    ("post", "/api/v1/script/{id}/run"): "401 200 200 403 403 200 200 403 403",
    ("get", "/api/v1/script/{id}/log"): USERS,
    ("get", "/api/v1/execution"): USERS,
    ("patch", "/api/v1/execution"): MAINTAINERS,
    ("post", "/api/v1/execution/cancel"): USERS,
    ("get", "/api/v1/execution/export"): VIEWERS,
    ("get", "/api/v1/execution/user"): USERS,
    ("get", "/api/v1/execution/{id}"): READS,
    ("patch", "/api/v1/execution/{id}"): "401 403 403 403 403 403 200 200 404",
    ("post", "/api/v1/execution/{id}/cancel"): "401 404 202 404 403 202 202 403 403",
    ("get", "/api/v1/execution/{id}/history"): READS,
    ("get", "/api/v1/execution/{id}/log"): READS,
    ("post", "/api/v1/execution/{id}/log"): "401 403 403 403 403 403 200 200 404",
    ("get", "/api/v1/status"): VIEWERS,
    ("get", "/api/v1/status/current"): VIEWERS,
    ("get", "/api/v1/status/export"): VIEWERS,
    ("get", "/api/v1/status/cluster"): STAFF,
}
BODIES: dict[tuple[str, str], object] = {
    ("patch", "/api/v1/execution"): [],
    ("post", "/api/v1/execution/cancel"): {"status": ["PENDING"]},
    ("post", "/api/v1/script"): {"slug": "new", "name": "New", "command": ["true"]},
    ("put", "/api/v1/script/{id}"): {"slug": "new", "name": "New", "command": ["true"]},
    ("patch", "/api/v1/execution/{id}"): {"progress": 1},
    ("post", "/api/v1/execution/{id}/log"): {"text": "a", "level": "INFO"},
}
CASES = [
    (endpoint, caller, int(status))
    for endpoint, statuses in TABLE.items()
    for caller, status in zip(CALLERS, statuses.split(), strict=True)
]


@pytest.fixture
def clients(execution: Execution, owner: User, stranger: User, api: APIClient) -> dict[str, APIClient]:
    callers: list[User | Execution] = [
        stranger,
        owner,
        staff(),
        *map(member_of, ("Viewer", "Operator", "Maintainer")),
        execution,
        ExecutionFactory(user=owner),
    ]
    return dict(zip(CALLERS, [api, *map(client_of, callers)], strict=True))


def test_the_table_has_every_operation() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    assert set(TABLE) == {(method, path) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize(("endpoint", "caller", "status"), CASES)
def test_endpoint(
    clients: dict[str, APIClient],
    execution: Execution,
    script: Script,
    endpoint: tuple[str, str],
    caller: str,
    status: int,
) -> None:
    method, path = endpoint
    path = path.replace("{id}", script.slug if "script" in path else str(execution.pk))
    answer = getattr(clients[caller], method)(path, BODIES.get(endpoint))
    answer.close()
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer) == (status == 401)


@pytest.mark.parametrize(
    ("caller", "status"), list(zip(CALLERS, [401, 404, 404, 404, 200, 200, 200, 403, 403], strict=True))
)
def test_what_is_not_published_is_seen_by_staff_and_run_by_maintainers(
    clients: dict[str, APIClient], caller: str, status: int
) -> None:
    ScriptFactory(slug="draft", published=False)
    client = clients[caller]
    assert client.get("/api/v1/script/draft").status_code == status
    assert client.get("/api/v1/script/draft/log").status_code == status
    runs = 403 if caller in {"viewer", "operator"} else status
    assert client.post("/api/v1/script/draft/run").status_code == runs


@pytest.mark.parametrize(
    ("caller", "cancelled"), [("stranger", 0), ("owner", 2), ("staff", 0), ("viewer", 0), ("operator", 2)]
)
def test_who_may_not_cancel_matches_their_own_only(
    clients: dict[str, APIClient], caller: str, cancelled: int
) -> None:
    body = {"status": ["PENDING"], "dry_run": False}
    answer = clients[caller].post("/api/v1/execution/cancel", body).json()["data"]
    assert (answer["matched"], answer["cancelled"]) == (cancelled, cancelled)


@pytest.mark.parametrize(("caller", "seen"), [("stranger", 0), ("owner", 2), ("staff", 0), ("viewer", 2)])
def test_who_may_not_view_executions_sees_their_own_only(
    clients: dict[str, APIClient], caller: str, seen: int
) -> None:
    answer = clients[caller].get("/api/v1/execution", {"page": "1", "include": "user_email"}).json()
    assert answer["total"] == seen
    assert all(("user_email" in row) is (caller == "viewer") for row in answer["data"])


@pytest.mark.parametrize(("caller", "status"), list(zip(CALLERS, map(int, STAFF.split()), strict=True)))
def test_metrics_are_for_staff_though_not_in_the_schema(
    clients: dict[str, APIClient], caller: str, status: int
) -> None:
    assert clients[caller].get("/metrics").status_code == status


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
def test_everybody_may_read_the_documentation(clients: dict[str, APIClient], caller: str, path: str) -> None:
    assert clients[caller].get(path).status_code == 200
