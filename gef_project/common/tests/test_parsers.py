"""Bodies by gzip: read like plain ones, and bounded while they are inflated."""

import gzip
import json
import tracemalloc

import pytest
from pytest_django import Settings

from executions.models import Execution
from gef_project.accounts.tests.clients import client_of

pytestmark = pytest.mark.django_db


def patch(execution: Execution, body: bytes, encoding: str = "gzip"):
    return client_of(execution).patch(
        f"/api/v1/execution/{execution.pk}",
        body,
        content_type="application/json",
        headers={"Content-Encoding": encoding},
    )


def test_a_gzipped_report_is_stored(execution: Execution) -> None:
    results = {"rows": ["é" * 100] * 50_000}
    body = gzip.compress(json.dumps({"results": results, "status": "FINISHED"}).encode())
    assert patch(execution, body).status_code == 200
    assert Execution.objects.get(pk=execution.pk).results == results


REPORT = gzip.compress(b'{"progress": 1}', mtime=0)


@pytest.mark.parametrize("body", [b"{}", b"", REPORT[:-9], REPORT + b"more", REPORT + REPORT])
def test_what_is_not_gzip_is_refused(execution: Execution, body: bytes) -> None:
    answer = patch(execution, body)
    assert answer.status_code == 400


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_encoding_that_is_not_known_is_named(execution: Execution, encoding: str) -> None:
    answer = patch(execution, b"{}", encoding)
    assert answer.status_code == 400
    assert repr(encoding) in answer.json()["detail"]


def test_a_small_body_cannot_fill_the_memory(execution: Execution, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    tracemalloc.start()
    try:
        answer = patch(execution, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert peak < 50_000_000


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413)])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_body_may_have_as_many_bytes_as_the_limit(
    execution: Execution, settings: Settings, encoding: str, size: int, status: int
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = b'{"progress": 1}'.ljust(size)
    answer = patch(execution, gzip.compress(body) if encoding == "gzip" else body, encoding)
    assert answer.status_code == status


def test_what_is_not_nested_too_deeply_to_be_read_can_be_stored_and_shown(execution: Execution) -> None:
    statuses = []
    for depth in range(50, 1000, 50):
        nested = b"[" * depth + b"]" * depth
        statuses.append(patch(execution, b'{"results": ' + nested + b"}", "identity").status_code)
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 400}
