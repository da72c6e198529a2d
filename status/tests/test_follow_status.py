"""The ledger in a terminal."""

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
from status.tail import Follower, Line, RowsAreGone

pytestmark = pytest.mark.django_db(transaction=True)

Process = subprocess.Popen[str]


@pytest.fixture
def following() -> Iterator[Process]:
    """Following from the first row on, as JSON; SIGINT is ignored from birth, as after ``&`` in a script."""
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


def test_it_prints_each_row_once_also_when_the_database_was_away(
    execution: Execution, following: Process
) -> None:
    newest = StatusLog.objects.newest().pk
    assert [next_id(following) for _ in range(newest)] == list(range(1, newest + 1))
    end_connections_of_others()
    execution.update_status(Status.READY)
    assert next_id(following) == newest + 1
    following.send_signal(signal.SIGINT)
    printed, complaints = following.communicate(timeout=30)
    assert (printed, following.returncode) == ("", 0)
    away, back = complaints.splitlines()
    assert away.startswith("The database is away: ")
    assert back == "The database is back."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it(number: signal.Signals, following: Process) -> None:
    next_id(following)
    following.send_signal(number)
    assert following.communicate(timeout=30) == ("", "")
    assert following.returncode == 0


def test_a_line_says_when_which_from_where_to_where_and_the_counts(execution: Execution) -> None:
    execution.update_status(Status.READY)
    row = StatusLog.objects.newest()
    assert str(Line(row)).split() == [
        *(f"{row.timestamp:%H:%M:%S.%f}"[:12], str(execution.pk)[:8], "sums", "PENDING", "→", "READY"),
        *("pending", "0", "ready", "1", "running", "0", "finished", "0", "failed", "0", "cancelled", "0"),
    ]
    assert "\033[36mREADY" in str(Line(row, coloured=True))


def test_snapshots_and_deletions_have_their_lines(execution: Execution) -> None:
    snapshot = StatusLog.objects.earliest("id")
    assert str(Line(snapshot)).split()[1:5] == ["snapshot", "-", "→", "-"]
    execution.delete()
    (deletion,) = Follower(StatusLog.objects.newest().pk - 1).read()
    assert str(Line(deletion)).split()[2:6] == ["(deleted)", "PENDING", "→", "-"]


def test_rows_that_are_gone_are_not_passed_over_in_silence() -> None:
    ExecutionFactory.create_batch(3)
    list(prune(StatusLog.objects.newest().timestamp))
    oldest = StatusLog.objects.earliest("id").pk
    with pytest.raises(RowsAreGone):
        Follower(0).read()
    with pytest.raises(CommandError, match=f"before {oldest} .* --after {oldest - 1}"):
        call_command("follow_status", "--after", "0")


@pytest.mark.parametrize("place", ["-1", "x", "99999999999999999999", "1000000"])
def test_an_odd_place_is_refused(place: str) -> None:
    with pytest.raises(CommandError, match=r"id of a row|newest row"):
        call_command("follow_status", f"--after={place}")
