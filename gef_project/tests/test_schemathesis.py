"""Requests made from the schema, many of them wrong, to the running server: it does what the schema says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from executions.tests.factories import ExecutionFactory, ScriptFactory
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.common.examples import EXECUTION_ID, SCRIPT_ID

from .servers import web_server

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("who", "phases"), [("staff", "examples,coverage,fuzzing,stateful"), ("user", "examples,fuzzing")]
)
def test_no_check_fails(
    who: str, phases: str, owner: User, admin: User, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random_requests = request.config.getoption("requests_per_operation")
    examples = ["--max-examples", str(random_requests or 5)]
    if not random_requests:
        examples += ["--generation-deterministic"]
    ExecutionFactory(pk=EXECUTION_ID, user=owner, script=ScriptFactory(pk=SCRIPT_ID))
    token = refresh_token_for({"staff": admin, "user": owner}[who]).access_token
    with web_server() as server:
        run = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG),
                *("run", f"{server.url}/api/schema", "--header", f"Authorization: Bearer {token}"),
                *("--checks", "all", "--phases", phases, *examples),
                *("--request-timeout", "10", "--warnings", "off", "--no-color"),
            ],
            cwd=tmp_path,
            env={"PATH": "", "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            timeout=None if random_requests else 150,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested
    assert int(tested[1]) > 20
