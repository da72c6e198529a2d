"""No acknowledged change is lost by ``kill -9``; ``python -m executions.tests.kill`` shows each round."""

import subprocess
import sys

import pytest
from django.conf import settings


def test_acknowledged_changes_survive_kills_of_a_writer_the_worker_and_the_server(
    request: pytest.FixtureRequest,
) -> None:
    kills = request.config.getoption("kills")
    run = subprocess.run(
        [sys.executable, "-m", "executions.tests.kill", "--rounds", str(3 * kills)],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    *_, summary = run.stdout.splitlines() or [run.stderr]
    assert run.returncode == 0, run.stdout + run.stderr
    assert summary.startswith(f"kills: writer {kills}, worker {kills}, server {kills} ")
    assert summary.endswith("every invariant holds")
