"""A typed client that a generator makes from the schema works, unchanged, against the running server."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from executions.credentials import password, user_name
from executions.models import Script
from gef_project.accounts.models import User

PACKAGE = "generated_client"


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the client."""
    call_command("spectacular", "--format=openapi-json", f"--file={tmp_path / 'schema.json'}")
    tools = Path(sys.executable).parent
    subprocess.run(
        [
            *(tools / "openapi-python-client", "generate", "--fail-on-warning"),
            *("--meta", "none", "--path", "schema.json", "--output-path", PACKAGE),
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},  # it formats what it writes by ruff
        check=True,
    )
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.mark.django_db(transaction=True)
def test_it_logs_in_runs_reports_and_reads(
    generated: Any, live_server: LiveServer, owner: User, admin: User, script: Script
) -> None:
    models, module = generated("models"), generated("client")

    def call(name: str, *path: str, client: Any, **arguments: Any) -> Any:
        return generated(f"api.{name}").sync(*path, client=client, **arguments)

    def logged_in(email: str, secret: str) -> Any:
        with module.Client(live_server.url) as client:
            login = models.LoginRequest(email=email, password=secret)
            tokens = call("auth.log_in", client=client, body=login)
        return module.AuthenticatedClient(live_server.url, tokens.access_token)

    for user in (owner, admin):
        user.set_password("secret of the test")
        user.save()

    with logged_in(owner.email, "secret of the test") as client:
        params = models.RunScriptBody.from_dict({"limit": 10})
        run = call("scripts.run_script", script.slug, client=client, body=params).data
        assert (run.status, run.params) == ("PENDING", {"limit": 10})

    with logged_in(user_name(run.id), password(run.id)) as worker:
        report = models.PatchedReportRequest(
            status=models.ReportedStatusEnum.FINISHED, progress=99.5, results={"primes": 4}
        )
        done = call("executions.report_execution", str(run.id), client=worker, body=report).data
        assert (done.status, done.progress, done.results) == ("FINISHED", 99, {"primes": 4})
        refused = call(
            "executions.report_execution",
            str(run.id),
            client=worker,
            body=models.PatchedReportRequest(status=models.ReportedStatusEnum.RUNNING),
        )
        assert (refused.code, refused.allowed) == ("illegal_move", [])
        history = call("executions.get_execution_history", str(run.id), client=worker)
        assert [entry.status_to for entry in history.data] == ["PENDING", "FINISHED"]

    with logged_in(admin.email, "secret of the test") as staff:
        newest = call("status.get_current_status", client=staff).data
        assert (newest.execution_id, newest.executions_finished) == (run.id, 1)
        again = models.OwnReportRequest(id=run.id, status=models.ReportedStatusEnum.FINISHED)
        [outcome] = call("executions.report_executions", client=staff, body=[again]).data
        assert outcome.ok
