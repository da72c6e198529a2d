"""The documents say what is so: the examples of docs/api.md run as they stand, files that are named exist."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from executions.credentials import password, user_name
from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from status.verification import first_fault

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = settings.BASE_DIR / "docs" / "api.md"
PAGES = [
    *settings.BASE_DIR.glob("*.md"),
    *settings.BASE_DIR.glob(".github/*.md"),
    *settings.BASE_DIR.glob("docs/**/*.md"),
]
INTERPRETERS = {"sh": ["bash", "-euo", "pipefail"], "python": [sys.executable, "-W", "error"]}
TOOLS = all(map(shutil.which, ("bash", "curl", "gzip", "jq")))
LANGUAGES = pytest.mark.parametrize(
    "language",
    [
        pytest.param("sh", marks=pytest.mark.skipif(not TOOLS, reason="needs bash, curl, gzip and jq")),
        "python",
    ],
)


def blocks(section: str, language: str) -> str:
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def exists(path: str, page: Path) -> bool:
    """Whether there is such a file in the project or beside the page; a bare name: anywhere in an app."""
    roots = [settings.BASE_DIR, page.parent]
    anywhere = (
        app
        for name in ("executions", "gef_project", "status")
        for app in (settings.BASE_DIR / name).rglob(path)
    )
    return any((root / path).exists() for root in roots) or ("/" not in path and any(anywhere))


@pytest.fixture
def follow(live_server: LiveServer, admin: User, tmp_path: Path):
    """Runs a section's examples in one language; what they print."""
    admin.set_password("secret of the test")
    admin.save()

    def follow(section: str, language: str, **environment: str) -> str:
        script = tmp_path / "example"
        script.write_text(blocks(section, language))
        staff = {"API_URL": live_server.url, "API_USER": admin.email, "API_PASSWORD": "secret of the test"}
        run = subprocess.run(
            [*INTERPRETERS[language], str(script)],
            cwd=tmp_path,
            env={**os.environ, **staff, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    return follow


@LANGUAGES
def test_a_worker(follow, execution: Execution, language: str) -> None:
    printed = follow(
        "A worker",
        language,
        API_USER=user_name(execution.pk),
        API_PASSWORD=password(execution.pk),
        EXECUTION_ID=str(execution.pk),
    )
    assert "illegal_move" in printed or "cannot go from FINISHED to RUNNING" in printed
    execution.refresh_from_db()
    assert (execution.status, execution.results) == ("FINISHED", {"primes": 168})
    own_line, refused = execution.logs.all()
    assert own_line.text == "half of it is done"
    assert "RUNNING" in refused.text


@LANGUAGES
def test_a_dashboard(follow, execution: Execution, language: str, tmp_path: Path) -> None:
    execution.cancel(source="test")
    printed = follow("A dashboard", language)
    assert "CANCELLED" in printed
    if language == "sh":
        assert str(execution.pk) in (tmp_path / "executions.csv").read_text()
        assert len((tmp_path / "status-log.jsonl").read_text().splitlines()) == 3


@LANGUAGES
def test_a_bulk_caller(follow, script: Script, language: str) -> None:
    ExecutionFactory.create_batch(3, script=script)
    ExecutionFactory(script=script, status="RUNNING")
    follow("A bulk caller", language)
    ended = {"sh": ["CANCELLED"] * 4, "python": ["CANCELLED"] + ["FINISHED"] * 3}[language]
    assert sorted(Execution.objects.values_list("status", flat=True)) == ended
    assert first_fault() is None


@LANGUAGES
def test_the_change_feed(follow, execution: Execution, language: str) -> None:
    execution.cancel(source="test")
    printed = follow("The change feed", language)
    assert "CANCELLED" in printed
    assert str(execution.pk) in printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(settings.BASE_DIR)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    named = re.findall(r"`([\w./]*[\w/]\.(?:py|sql|md|toml|txt|lock))`", text)
    missing = [path for path in linked if not (page.parent / path).exists()]
    missing += [path for path in named if "NNNN" not in path and not exists(path, page)]
    assert missing == []
