"""``manage.py follow_status``."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from executions.tests.processes import environment_of_test
from status.models import StatusLog
from status.retention import prune
from status.states import Status
from status.tail import Line, RowsPruned, Tail

pytestmark = pytest.mark.django_db(transaction=True)

Process = subprocess.Popen[str]


@pytest.fixture
def process() -> Iterator[Process]:
    """The command from the first row on, as JSON, started with SIGINT ignored, as by ``&`` in a script."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "follow_status", "--after", "0", "--json"],
        cwd=settings.BASE_DIR,
        env=environment_of_test(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    with process:
        yield process
        process.kill()


def next_id(process: Process) -> int:
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["id"])


def end_connections_of_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_it_prints_each_row_once_even_if_the_database_was_away(
    execution: Execution, process: Process
) -> None:
    newest = StatusLog.objects.newest().pk
    assert [next_id(process) for _ in range(newest)] == list(range(1, newest + 1))
    end_connections_of_others()
    execution.update_status(Status.READY)
    assert next_id(process) == newest + 1
    process.send_signal(signal.SIGINT)
    printed, warnings = process.communicate(timeout=30)
    assert (printed, process.returncode) == ("", 0)
    away, back = warnings.splitlines()
    assert away.startswith("The database is away: ")
    assert back == "The database is back."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it(number: signal.Signals, process: Process) -> None:
    next_id(process)
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


def test_a_line_has_time_execution_transition_and_counts(execution: Execution) -> None:
    execution.update_status(Status.READY)
    row = StatusLog.objects.newest()
    assert str(Line(row)).split() == [
        *(f"{row.timestamp:%H:%M:%S.%f}"[:12], str(execution.pk)[:8], "sums", "PENDING", "→", "READY"),
        *("pending", "0", "ready", "1", "running", "0", "finished", "0", "failed", "0", "cancelled", "0"),
    ]
    assert "\033[36mREADY" in str(Line(row, coloured=True))


def test_snapshots_and_deletions_have_lines(execution: Execution) -> None:
    snapshot = StatusLog.objects.earliest("id")
    assert str(Line(snapshot)).split()[1:5] == ["snapshot", "-", "→", "-"]
    execution.delete()
    (deletion,) = Tail(StatusLog.objects.newest().pk - 1).read()
    assert str(Line(deletion)).split()[2:6] == ["(deleted)", "PENDING", "→", "-"]


def test_pruned_rows_are_an_error() -> None:
    ExecutionFactory.create_batch(3)
    list(prune(StatusLog.objects.newest().timestamp))
    oldest = StatusLog.objects.earliest("id").pk
    with pytest.raises(RowsPruned):
        Tail(0).read()
    with pytest.raises(CommandError, match=f"before {oldest} .* --after {oldest - 1}"):
        call_command("follow_status", "--after", "0")


@pytest.mark.parametrize("row_id", ["-1", "x", "99999999999999999999", "1000000"])
def test_an_invalid_id_is_refused(row_id: str) -> None:
    with pytest.raises(CommandError, match=r"id of a row|newest row"):
        call_command("follow_status", f"--after={row_id}")
