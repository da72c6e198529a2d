"""Every copy of the statuses and transitions equals the one in ``states.py``."""

import re

import pytest
from django.db import connection

from executions.models import Execution
from status.checks import check_columns
from status.models import StatusLog
from status.states import ACTIVE, TERMINAL, TRANSITIONS, Status, count_field, predecessors_of


def test_the_statuses_are_those_of_the_design() -> None:
    assert list(Status) == ["PENDING", "READY", "RUNNING", "FINISHED", "FAILED", "CANCELLED"]


def test_a_terminal_status_is_never_left() -> None:
    assert {status for status in Status if not TRANSITIONS[status]} == TERMINAL


def test_every_active_status_can_end() -> None:
    assert all(TRANSITIONS[status] >= TERMINAL for status in ACTIVE)


def test_only_ready_leads_back_to_pending() -> None:
    assert predecessors_of(Status.PENDING) == [Status.READY]
    assert all(status not in TRANSITIONS[status] for status in Status)


@pytest.mark.parametrize("field", ["status_from", "status_to"])
def test_the_choices_of_the_log_are_the_statuses(field: str) -> None:
    assert getattr(StatusLog, field).field.choices == Status.choices


def test_the_choices_of_an_execution_are_the_statuses() -> None:
    assert Execution._meta.get_field("status").choices == Status.choices


def test_the_log_counts_every_status_and_no_other() -> None:
    columns = {field.name for field in StatusLog._meta.fields if field.name.startswith("executions_")}
    assert columns == {count_field(status) for status in Status} | {"executions_active"}


@pytest.mark.django_db
def test_the_database_knows_the_same_statuses() -> None:
    check = stored(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'execution_end_date_when_ended'"
    )
    assert set(re.findall(r"'([A-Z]+)'", check)) == set(Status)


@pytest.mark.django_db
@pytest.mark.parametrize("status_from", Status)
@pytest.mark.parametrize("status_to", Status)
def test_the_database_knows_the_same_transitions(status_from: Status, status_to: Status) -> None:
    legal = stored("SELECT is_legal_transition(%s, %s)", status_from, status_to)
    assert legal == str(status_to in TRANSITIONS[status_from])


@pytest.mark.django_db
@pytest.mark.parametrize("status", Status)
def test_every_function_of_the_ledger_counts_every_status(status: Status) -> None:
    functions = stored(
        "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc"
        " WHERE prosrc ~ 'executions_pending' AND NOT prosrc ~ %s",
        count_field(status),
    )
    assert functions == "None"


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_the_database_knows_which_statuses_end_an_execution(status: Status, execution: Execution) -> None:
    execution.update_status(status)
    one = Execution.objects.values("status", "outcome", "progress", "started_at").get()
    assert one == {"status": status, "outcome": status, "progress": 100, "started_at": None}
    assert execution.end_date == Execution.objects.get().end_date


def stored(query: str, *parameters: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        [(definition,)] = cursor.fetchall()
    return str(definition)


def test_a_status_without_its_column_is_a_system_checks_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_columns() == []
    monkeypatch.setattr("status.checks.Status", [*Status, "PAUSED"])
    [error] = check_columns()
    assert error.id == "status.E001"
    assert "executions_paused" in error.msg
