"""No acknowledged change is lost by ``kill -9``; ``python -m executions.tests.kill`` does it for longer."""

import subprocess
import sys

from django.conf import settings


def test_acknowledged_changes_survive_kills_of_a_writer_the_worker_and_the_server() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "executions.tests.kill", "--rounds", "3"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    *_, summary = run.stdout.splitlines() or [run.stderr]
    assert run.returncode == 0, run.stdout + run.stderr
    assert summary.startswith("kills: writer 1, worker 1, server 1 ")
    assert summary.endswith("every invariant holds")
