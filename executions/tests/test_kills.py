"""Nothing that was acknowledged is lost when processes are killed; ``benchmarks/kill`` does it at length."""

import subprocess
import sys

from django.conf import settings


def test_what_was_acknowledged_survives_kills_of_a_writer_the_worker_and_the_server() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill", "--rounds", "3"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    *_, summary = run.stdout.splitlines() or [run.stderr]
    assert run.returncode == 0, run.stdout + run.stderr
    assert summary.startswith("kills: writer 1, worker 1, server 1 ")
    assert summary.endswith("every invariant holds")
