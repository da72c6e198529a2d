"""No script that did its work has failed; ``python -m executions.tests.faults`` shows it at length."""

import subprocess
import sys

import pytest
from django.conf import settings


@pytest.mark.timeout(600)
def test_no_run_depends_on_a_worker_or_on_the_database_being_there() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "executions.tests.faults", "--executions", "20"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith(
        "victims 0, started twice 0, not terminal 0, wrong logs 0, left 0 every invariant holds\n"
    )
