"""The pages read a bounded number of rows of the big tables, however many there are."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from executions.admin import lookups, search
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from status.states import Status

from .admin_pages import LIST, page
from .factories import ScriptFactory

pytestmark = pytest.mark.django_db

ROWS = 20_000
BOUND = 2_000  # rows that one step of a plan may read; what is looked through is set to a part of it
TABLES = ["executions_execution", "status_log", "executions_executionlog"]


@pytest.fixture
def many(script: Script, owner: User, monkeypatch: pytest.MonkeyPatch) -> Execution:
    """Most are one user's and of one script; a few of others are the oldest."""
    for module, name in [(lookups, "LOOKED_THROUGH"), (lookups, "OWN_ROWS"), (search, "NEWEST_FAILURES")]:
        monkeypatch.setattr(module, name, 500)
    rare = Execution(script=ScriptFactory(slug="rare"), user=UserFactory(email="rare@example.org"))
    rest = [Execution(script=script, user=owner) for _ in range(ROWS)]
    Execution.objects.bulk_create([rare, *rest])
    with connection.cursor() as cursor:  # each at a time of its own
        cursor.execute(
            "UPDATE executions_execution SET start_date = start_date - age * interval '1 s' FROM"
            " (SELECT id, row_number() OVER (ORDER BY id = %s, id) AS age FROM executions_execution) AS aged"
            " WHERE aged.id = executions_execution.id",
            [rare.pk],
        )
    ids = Execution.objects.exclude(pk=rare.pk).order_by("start_date").values_list("pk", flat=True)
    failed, finished = list(ids[:1_000]), list(ids[1_000 : ROWS - 1_500])
    Execution.objects.filter(pk__in=[*failed, rare.pk]).update_status(Status.FAILED, reason="no room")
    Execution.objects.filter(pk__in=finished).update_status(Status.FINISHED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE executions_execution, status_log, executions_executionlog")
        # The plans of a table fifty times as large: this one would be read whole for what an index has.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    return rare


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def most_read(sql: str) -> int:
    """The rows that the statement's greediest look at a big table reads."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        [[answer]] = cursor.fetchall()
    [explained] = answer if isinstance(answer, list) else json.loads(answer)
    return max(
        (
            round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
            for node in nodes(explained["Plan"])
            if node.get("Relation Name") in TABLES
        ),
        default=0,
    )


def test_no_page_reads_more_than_it_looks_through(superuser: Client, many: Execution) -> None:
    queries = [
        *["", "status=PENDING", "status=FAILED", "status=FINISHED", "status=CANCELLED"],
        *["script=sums", "script=rare", "script=sums&status=FAILED", "script=rare&status=FINISHED"],
        *["user=owner@example.org", "user=rare@example.org", "user=owner@example.org&status=FAILED"],
        *["worker=w7", "from=2020-01-01", "before=2020-01-01", "q=sums", "q=rare", "q=owner", "q=no+room"],
        *[f"q={many.pk}", f"q={str(many.pk)[:8]}", "status=FAILED&q=nothing"],
    ]
    urls = ["/admin/?range=day", "/admin/?range=year", *(f"{LIST}?{query}" for query in queries)]
    urls += [f"{page(many)}?tab={tab}" for tab in ("log", "history", "data", "raw")]
    greedy = {}
    for url in urls:
        with CaptureQueriesContext(connection) as captured:
            assert superuser.get(url).status_code == 200
        for sql in (query["sql"] for query in captured if any(table in query["sql"] for table in TABLES)):
            assert "OFFSET" not in sql
            if (read := most_read(sql)) > BOUND:
                greedy[url] = (read, sql)
    assert greedy == {}
