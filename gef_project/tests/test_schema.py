"""The API documents itself, completely, and without the internet."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient


@pytest.fixture(scope="module")
def operations():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return {
        (method, path): operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    }


def test_the_schema_is_valid_and_complete(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", f"--file={tmp_path / 'schema.yml'}")


def test_every_operation_says_what_it_does_and_how_it_fails(operations) -> None:
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"] != ["api"], name
        if name[1] != "/api-health":
            assert "401" in operation["responses"], name
        assert ("415" in operation["responses"]) == ("requestBody" in operation), name
        assert all(parameter["description"] for parameter in operation.get("parameters", [])), name


def test_every_operation_has_a_name_that_says_what_a_call_of_it_does(operations) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    # What the framework makes up is called after its classes: execution_cancel_create.
    assert [name for name in names if re.search("_(list|create|retrieve|update|destroy)$", name)] == []


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that comes or goes, and where."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {kind}", content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield f"{status} {kind}", content


def test_everything_has_an_example_that_is_valid() -> None:
    with patched_settings({"OAS_VERSION": "3.1.0"}):  # whose schemas are JSON Schema
        schema = SchemaGenerator().get_schema(request=None, public=True)
    for operation in (one for item in schema["paths"].values() for one in item.values()):
        for parameter in operation.get("parameters", []):
            Draft202012Validator(parameter["schema"] | schema).validate(parameter["example"])
        for where, content in contents(operation):
            where = f"{operation['operationId']}: {where}"
            assert content.get("examples"), where
            for example in content["examples"].values():
                problems = Draft202012Validator(content["schema"] | schema).iter_errors(example["value"])
                assert [problem.message for problem in problems] == [], where


def test_paths_are_as_clients_write_them(operations) -> None:
    paths = {path for _, path in operations}
    assert paths == {
        "/api-health",
        "/auth",
        "/auth/refresh",
        "/auth/logout",
        "/auth/logout-all",
        "/api/v1/user/me",
        "/api/v1/script",
        "/api/v1/script/{id}",
        "/api/v1/script/{id}/run",
        "/api/v1/script/{id}/log",
        "/api/v1/execution",
        "/api/v1/execution/cancel",
        "/api/v1/execution/export",
        "/api/v1/execution/user",
        "/api/v1/execution/{id}",
        "/api/v1/execution/{id}/cancel",
        "/api/v1/execution/{id}/history",
        "/api/v1/execution/{id}/log",
        "/api/v1/status",
        "/api/v1/status/current",
        "/api/v1/status/export",
        "/api/v1/status/cluster",
    }


def test_the_page_of_the_status_log_explains_each_field(api: APIClient, operations) -> None:
    components = api.get("/api/schema", HTTP_ACCEPT="application/vnd.oai.openapi+json").json()["components"]
    fields = components["schemas"]["StatusLog"]["properties"]
    undocumented = [name for name, field in fields.items() if not field.get("description")]
    assert undocumented == []
    description = operations[("get", "/api/v1/status")]["description"]
    assert "in the same transaction as the change" in description


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_swagger_ui_needs_no_other_host(api: APIClient, path: str) -> None:
    page, script = api.get(path), api.get(path, {"script": ""})
    assert page.status_code == script.status_code == 200
    text = page.content.decode() + script.content.decode()
    assert re.findall(r"""(?:href|src|url)\s*[=:]\s*["'](?:https?:)?//""", text) == []
    assert '"validatorUrl": null' in text
    assets = re.findall(r"""(?:href|src)="(/static/[^"]+)""", text)
    assert len(assets) >= 3
    assert all(finders.find(asset.removeprefix("/static/")) for asset in assets)
