"""Invalid values in the environment are refused at start, each by one clear line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from gef_project.settings import env

pytestmark = pytest.mark.apart

STRONG_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DEPLOYED = {"DEBUG": "off", "SECRET_KEY": STRONG_KEY, "ALLOWED_HOSTS": "example.org,www.example.org"}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("PORT", "99999"),
        ("PORT", "http"),
        ("LOCK_TIMEOUT", "-1"),
        ("LOG_LEVEL", "loud"),
        ("HEARTBEAT_EVERY", "0"),
        ("WORKER_GRACE", "29"),
        ("API_URL", "example.org"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.org,www.example.org"),
        ("DATABASE_URL", "mysql://root:secret@localhost/gef"),
        ("DATABASE_URL", "postgresql://root:secret@localhost:port/gef"),
        ("DATABASE_URL", "postgresql://root:secret@localhost"),
        ("CELERY_BROKER_URL", "pigeon://root:secret@localhost"),
        ("STATUS_LOG_RETENTION", "-1"),
        ("STATUS_LOG_RETENTION", "a year"),
        ("METRICS_TOKEN", "secret"),
        ("METRICS_TOKEN", "secret of more than one word"),
        ("EMAIL_URL", "pigeon://root:secret@localhost"),
        ("EMAIL_URL", "smtp://root:secret@localhost:port"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    done = manage("check", **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"{name}: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_a_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = manage("check", VAR_DIR=str(tmp_path / "file"))
    assert done.returncode == 2
    assert done.stderr.startswith("VAR_DIR: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_without_debug_nothing_is_guessed(missing: str) -> None:
    done = manage("check", **{**DEPLOYED, missing: ""})
    assert done.returncode == 2
    assert done.stderr == f"{missing} must be set in the environment when DEBUG is off.\n"


def test_a_deployment_passes_the_checks_for_one() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **DEPLOYED)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_value_counts_as_unset() -> None:
    done = manage("check", PORT="", DEBUG="", EMAIL_URL="", LOG_LEVEL="")
    assert (done.returncode, done.stderr) == (0, "")


def test_mail_goes_where_the_url_says(tmp_path: Path) -> None:
    done = manage(
        "shell", "-v0", "-c", "from django.conf import settings; print(settings.EMAIL_FILE_PATH)",
        EMAIL_URL=f"file://{tmp_path}",
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path)


def test_each_line_of_the_log_is_written_once() -> None:
    code = "import logging; logging.getLogger('django.request').error('once')"
    for debug in (True, False):
        environment = {"DEBUG": str(debug)} if debug else DEPLOYED
        done = manage("shell", "-v0", "-c", code, **environment)
        assert done.stderr.count("once") == 1


def test_what_is_made_is_for_its_user_alone(tmp_path: Path) -> None:
    code = """if True:
        from django.core.mail import send_mail
        from django.db import connection
        from celery import current_app
        from executions.run import Run
        from executions.models import Execution, Script
        connection.ensure_connection()
        current_app.send_task("nothing")
        send_mail("subject", "body", None, ["owner@example.org"])
        execution = Execution(script=Script(command=["true"]), params={"secret": 1})
        run = Run(execution.pk)
        run.start(execution)
        while not run.end():
            pass
    """
    var_dir = tmp_path / "new"
    done = manage("shell", "-v0", "-c", code, VAR_DIR=str(var_dir), DATABASE_URL="", CELERY_BROKER_URL="")
    assert done.stderr == ""
    made = [path for path in var_dir.rglob("*") if not path.is_symlink()]
    assert {"params.json", "mail", "output", "postgres.log", "appendonlydir", "secret-key"} <= {
        path.name for path in made
    }
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    # Only the embedded PostgreSQL's own user gets into the directory, if root has started it.
    assert var_dir.stat().st_mode & 0o777 == (0o710 if os.geteuid() == 0 else 0o700)


def test_every_variable_is_described_and_nothing_else_is() -> None:
    page = (settings.BASE_DIR / "docs" / "configuration.md").read_text()
    described = re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)
    assert sorted(described) == sorted(env.dump())
