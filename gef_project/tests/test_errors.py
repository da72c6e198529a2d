"""All errors have the same shape."""

import logging
from uuid import uuid4

import pytest
from django.db import connection
from django.test import override_settings
from pytest_django import Settings
from rest_framework.test import APIClient

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/execution", "/auth/nothing", "/api/v1//"]
)
def test_an_unknown_path_is_404(api: APIClient, settings: Settings, path: str, debug: bool) -> None:
    settings.DEBUG = debug
    answer = api.post(path, {"a": 1})
    assert answer.status_code == 404
    body = answer.json()
    assert set(body) == {"status", "detail", "code"}
    assert (body["status"], body["code"]) == (404, "not_found")


@pytest.mark.parametrize("execution_id", [uuid4(), "1", "x" * 300, "%00", "é"])
def test_an_unknown_or_odd_id_is_404(admin: User, execution_id: object) -> None:
    for path in (f"/api/v1/execution/{execution_id}", f"/api/v1/script/{execution_id}"):
        answer = client_of(admin).get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "parse_error"),
        (b"", "application/json", 400, "invalid"),
        (b"\xff\xfe\xfd", "application/json", 400, "parse_error"),
        (b'{"results": NaN}', "application/json", 400, "parse_error"),
        (b'{"results": 1e999}', "application/json", 400, "parse_error"),
        (b'{"results": ' + b"9" * 5000 + b"}", "application/json", 400, "parse_error"),
        (b"[" * 100_000, "application/json", 400, "parse_error"),
        (b'{"results": ' + b"[" * 200 + b"]" * 200 + b"}", "application/json", 400, "parse_error"),
        (b'{"results": ' + b'{"a":' * 900 + b"1" + b"}" * 901, "application/json", 400, "parse_error"),
        (b"[]", "application/json", 400, "invalid"),
        (b"status=RUNNING", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    execution: Execution, body: bytes, content_type: str, status: int, code: str
) -> None:
    path = f"/api/v1/execution/{execution.pk}"
    answer = client_of(execution).patch(path, body, content_type=content_type)
    assert answer.status_code == status
    assert (answer.json()["status"], answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("method", ["delete", "put", "options"])
def test_another_method_is_405(admin: User, method: str) -> None:
    answer = getattr(client_of(admin), method)("/api/v1/status")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_validation_error_says_what_is_wrong_with_which_field(execution: Execution) -> None:
    answer = client_of(execution).patch(
        f"/api/v1/execution/{execution.pk}", {"status": "GONE", "progress": 101}
    )
    assert answer.json() == {
        "status": 400,
        "code": "invalid",
        "detail": 'status: "GONE" is not a valid choice. progress: Must be a number from 0 to 100.',
        "errors": {
            "status": ['"GONE" is not a valid choice.'],
            "progress": ["Must be a number from 0 to 100."],
        },
    }


def test_a_failure_is_logged_and_told_without_a_traceback(
    admin: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True
    client = client_of(admin)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE status_log RENAME TO lost")
    with caplog.at_level(logging.ERROR):
        answer = client.get("/api/v1/status/current")
    assert answer.status_code == 500
    assert answer.json() == {
        "status": 500,
        "code": "error",
        "detail": "The server failed; the failure has been logged.",
    }
    assert "status_log" in caplog.text


def test_too_many_parameters_are_a_bad_request(admin: User) -> None:
    answer = client_of(admin).get("/api/v1/execution?" + "a=1&" * 2000)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@override_settings(ALLOWED_HOSTS=["elsewhere.example.org"], DEBUG=False)
def test_a_foreign_host_is_a_bad_request(api: APIClient) -> None:
    answer = api.get("/api/v1/status")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
