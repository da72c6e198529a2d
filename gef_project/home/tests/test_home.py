"""The home page: what it says of executions, of scripts, and of the service's health."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from executions.models import Execution, Script
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from gef_project.home import charts, health
from gef_project.home.charts import RANGES, Chart
from gef_project.operations.models import CountCheck
from status.models import StatusLog
from status.states import Status
from status.tests.ledger_builders import begin_with_periodic_rows, set_times

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


@pytest.fixture
def home(client: Client, admin: User) -> Any:
    client.force_login(admin)
    return lambda **asked: client.get("/admin/", asked)


def test_a_tile_of_each_status_leads_to_its_list(home: Any, execution: Execution) -> None:
    ExecutionFactory(status=Status.FAILED)
    tiles = {tile["label"]: (tile["count"], tile["url"]) for tile in home().context["tiles"]}
    assert list(tiles) == Status.labels
    assert tiles["Failed"] == (1, "/admin/executions/execution/?status=FAILED")
    assert tiles["Pending"][0] == 1


def test_what_runs_is_shown_with_the_oldest_first(home: Any) -> None:
    first, second, _waiting = ExecutionFactory.create_batch(3)
    for execution in (second, first):
        execution.claim("w1@host")
        execution.refresh_from_db()
        execution.update_status(Status.RUNNING, progress=40)
    assert home().context["running"] == [first, second]


def test_the_last_failures_are_those_that_ended_last(home: Any) -> None:
    first, second = ExecutionFactory.create_batch(2)
    second.update_status(Status.FAILED, reason="earlier")
    first.update_status(Status.FAILED, reason="disk <full>")
    answer = home()
    assert answer.context["failures"] == [first, second]
    assert "disk &lt;full&gt;" in answer.text


def test_scripts_in_use_have_their_failure_rate_and_median_time(home: Any, script: Script) -> None:
    for status in (Status.FAILED, Status.FINISHED, Status.FINISHED, Status.CANCELLED):
        execution = ExecutionFactory(script=script)
        execution.update_status(Status.RUNNING)
        execution.update_status(status)
    ExecutionFactory(script=script)
    [figures] = home().context["scripts"]
    assert (figures.pk, figures.runs, figures.ended, figures.failure_rate) == (script.pk, 5, 4, 25)
    assert figures.median >= timedelta()


def test_who_may_not_see_executions_gets_a_list_of_pages(client: Client, execution: Execution) -> None:
    client.force_login(staff("view_script"))
    answer = client.get("/admin/")
    assert "tiles" not in answer.context
    assert "Scripts" in answer.text
    assert client.get("/admin/workers/").status_code == 403


@pytest.mark.parametrize("asked", ["day", "week", "month", "year", "century", "\0"])
def test_any_range_has_a_chart_and_a_table(home: Any, execution: Execution, asked: str) -> None:
    answer = home(range=asked)
    chart = answer.context["chart"]
    assert chart.range.name == (asked if asked in RANGES else "day")
    assert "The same as a table" in answer.text
    assert 'style="' not in answer.text


# --- The chart -----------------------------------------------------------------------------------------


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.mark.usefixtures("at_noon")
def test_levels_and_ends_are_those_of_the_ledger_and_the_time_before_is_marked(execution: Execution) -> None:
    execution.update_status(Status.RUNNING)
    execution.update_status(Status.FAILED)
    set_times([NOW - timedelta(hours=hours) for hours in (6, 5, 3, 1)])  # its beginning comes first
    chart = Chart(RANGES["day"])
    assert len(chart.slots) == 7
    assert chart.unknown_until == pytest.approx(charts.WIDTH * 18 / 24.5, abs=1)
    assert [slot.levels for slot in chart.slots] == [
        *[[0, 0, 0]],
        *[[1, 0, 0]] * 2,
        *[[0, 0, 1]] * 2,
        *[[0, 0, 0]] * 2,
    ]
    assert [slot.ends for slot in chart.slots if any(slot.ends)] == [[0, 1, 0]]
    assert (chart.top, chart.most_failed) == (1, 1)


def test_what_the_old_task_recorded_is_before_the_ledger() -> None:
    begin_with_periodic_rows([{"finished": 5}, {"finished": 9}])
    chart = Chart(RANGES["year"])
    assert chart.unknown_until > 0
    assert [slot.ends for slot in chart.slots if any(slot.ends)] == []


# --- Health --------------------------------------------------------------------------------------------


def test_the_ledger_is_good_when_a_late_check_found_no_drift() -> None:
    assert health.ledger().state == "unknown"
    check = CountCheck.objects.run()
    assert health.ledger().state == "good"
    CountCheck.objects.update(fault="row 3: too many")
    assert (health.ledger().state, "row 3" in health.ledger().text) == ("bad", True)
    CountCheck.objects.update(fault="", checked_at=check.checked_at - timedelta(days=1))
    assert health.ledger().state == "unknown"


def test_the_queue_is_bad_when_somebody_waits_for_long(execution: Execution) -> None:
    assert health.queue().state == "good"
    Execution.objects.update(start_date=timezone.now() - timedelta(hours=1))
    assert health.queue().state == "bad"
    execution.update_status(Status.CANCELLED)
    assert health.queue().text == "nothing waits"


def test_the_scheduler_is_bad_when_it_has_sent_nothing_for_long() -> None:
    assert health.beat().state == "unknown"
    for age, state in [(1, "good"), (60, "bad")]:
        PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=age))
        assert health.beat().state == state


def test_the_newest_row_is_where_the_live_stream_begins(home: Any, execution: Execution) -> None:
    assert f'data-live-from="{StatusLog.objects.newest().pk}"' in home().text
