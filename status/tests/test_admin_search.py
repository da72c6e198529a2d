"""The ledger in the admin: how a row is found, what its page tells, and what is exported."""

import csv
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from executions.models import Execution
from executions.tests.factories import ExecutionFactory, ScriptFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.staff import staff
from status.admin import search
from status.models import StatusLog
from status.states import Status

from .ledger_builders import begin_with_periodic_rows

pytestmark = pytest.mark.django_db

LIST = reverse("admin:status_statuslog_changelist")
EXPORT = reverse("admin:status_statuslog_export")


def page(log: StatusLog) -> str:
    return reverse("admin:status_statuslog_change", args=[log.pk])


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(staff("view_statuslog"))
    return client


def listed(client: Client, **parameters: Any) -> list[StatusLog]:
    response = client.get(LIST, parameters)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


# --- Search ---------------------------------------------------------------------------------------------


def test_search_by_execution(reader: Client, execution: Execution) -> None:
    ExecutionFactory()
    execution.update_status(Status.RUNNING)
    own = list(StatusLog.objects.filter(execution=execution.pk))
    for term in (execution.pk, execution.pk.hex, f" {execution.pk} ", str(execution.pk)[:14].upper()):
        assert listed(reader, q=term) == own
    assert listed(reader, q=execution.pk, status_to="RUNNING") == own[:1]
    execution.delete()
    assert listed(reader, q=execution.status_logs.model.objects.newest().execution_id)[1:] == own


def test_search_by_row_number(reader: Client, execution: Execution) -> None:
    newest = StatusLog.objects.newest()
    assert listed(reader, q=newest.pk) == [newest]


def test_search_by_script_and_by_email(reader: Client, execution: Execution, admin: User) -> None:
    ExecutionFactory(script=ScriptFactory(slug="other", name="Others"))
    cancelled = execution.cancel(actor=admin)
    for term in ("sums", "SU", "Sums"):
        assert [log.execution_id for log in listed(reader, q=term)] == [execution.pk] * 2
    assert listed(reader, q="admin@example.org") == listed(reader, q="Admin@") == [cancelled]


def test_search_of_a_script_takes_its_newest_executions(
    reader: Client, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = ExecutionFactory(script=execution.script)
    monkeypatch.setattr(search, "MOST_EXECUTIONS", 1)
    response = reader.get(LIST, {"q": "sums"})
    assert [log.execution_id for log in response.context["cl"].result_list] == [newer.pk]
    assert "Script Sums: its 1 newest executions." in response.text


@pytest.mark.parametrize(
    "term", ["0b54c6ae-7d01-4c4f-9d21-5f3a2e6d7c88", "nobody", "99999", "9" * 400, "abc", "%", "٣", "\ud800"]
)
def test_a_search_that_finds_nothing_says_what_can_be_found(
    reader: Client, execution: Execution, term: str
) -> None:
    response = reader.get(LIST, {"q": term.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200
    assert list(response.context["cl"].result_list) == []
    assert "it is no row between 1 and 2" in response.text


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "source=%00",
        "event=%00",
        "event=unknown",
        "at=%00",
        "at=0001-01-01T00:00%2B23:59",
        "at=9999-12-31T23:59-23:59",
        "at=99999999999999999999999",
        "reason__regex=(((",
        "execution__params__a=1",
        "unknown=1",
        "p=999&all=&o=9.-9.x",
    ],
)
def test_what_is_no_value_of_a_filter_is_ignored(reader: Client, execution: Execution, query: str) -> None:
    response = reader.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == 2


# --- Jumps ----------------------------------------------------------------------------------------------


def test_a_jump_to_a_row_or_a_time_begins_the_page_there(reader: Client, execution: Execution) -> None:
    execution.update_status(Status.RUNNING)
    first, second, third = StatusLog.objects.order_by("id")
    assert listed(reader, at=second.pk) == [second, first]
    assert listed(reader, at=second.timestamp.isoformat()) == [second, first]
    naive = (third.timestamp + timedelta(days=1)).replace(tzinfo=None)
    assert listed(reader, at=f"{naive:%Y-%m-%d %H:%M}") == [third, second, first]
    assert listed(reader, at=third.pk, event="creation") == [second]


@pytest.mark.parametrize("place", ["0", "7", "1999-01-01", "yesterday"])
def test_a_jump_to_nowhere_says_what_there_is(reader: Client, execution: Execution, place: str) -> None:
    response = reader.get(LIST, {"at": place})
    assert "There is no row" in response.text
    assert "the rows 1 to 2" in response.text
    assert len(response.context["cl"].result_list) == 2


# --- What a row tells -----------------------------------------------------------------------------------


def test_a_row_links_its_execution_and_its_script(reader: Client, execution: Execution) -> None:
    for url in (LIST, page(StatusLog.objects.newest())):
        html = reader.get(url).text
        for name, pk in (("execution", execution.pk), ("script", execution.script_id)):
            assert f'href="{reverse(f"admin:executions_{name}_change", args=[pk])}"' in html


def test_the_counts_are_a_bar_with_numbers(reader: Client, execution: Execution) -> None:
    ExecutionFactory(status=Status.FAILED)
    numbers = "Pending 1, Ready 0, Running 0, Finished 0, Failed 1, Cancelled 0"
    for url in (LIST, page(StatusLog.objects.newest())):
        html = reader.get(url).text
        assert f"<title>{numbers}</title>" in html
        assert '<rect class="fill-failed" x="60.00" width="60.00" height="10"/>' in html
        assert "style=" not in html.partition('id="content"')[2]


def test_a_row_of_the_periodic_task_says_what_was_not_recorded(reader: Client) -> None:
    begin_with_periodic_rows([{"running": 2, "finished": 5}])
    numbers = "Pending not recorded, Ready 0, Running 2, Finished 5, Failed 0, Cancelled not recorded"
    assert numbers in reader.get(LIST).text
    html = reader.get(page(StatusLog.objects.earliest("id"))).text
    assert numbers in html
    assert "Pending and cancelled were not recorded then." in html


def test_a_row_has_its_neighbours_in_the_ledger_and_of_its_execution(
    reader: Client, execution: Execution
) -> None:
    created = StatusLog.objects.newest()
    ExecutionFactory()
    running = execution.update_status(Status.RUNNING)
    other = ExecutionFactory()
    finished = execution.update_status(Status.FINISHED)
    assert running is not None
    rows = [row for _title, row in reader.get(page(running)).context["neighbours"]]
    assert [row.pk for row in rows] == [running.pk - 1, running.pk + 1, created.pk, finished.pk]  # type: ignore[union-attr]
    assert rows[1].execution_id == other.pk
    assert [row for _title, row in reader.get(page(finished)).context["neighbours"]][1::2] == [None, None]  # type: ignore[arg-type]


# --- Exports --------------------------------------------------------------------------------------------


def exported(client: Client, **parameters: Any) -> list[int]:
    response = client.get(EXPORT, {"format": "jsonl", **parameters})
    assert response.status_code == 200
    return [json.loads(line)["id"] for line in b"".join(response.streaming_content).splitlines()]  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_an_export_has_exactly_the_rows_of_the_filters(
    reader: Client, execution: Execution, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_EXECUTIONS", 1)
    other = ExecutionFactory(script=execution.script)
    other.cancel(actor=admin)
    assert exported(reader) == [1, 2, 3, 4]
    assert exported(reader, at=2) == [1, 2, 3, 4]
    assert exported(reader, event="creation") == [2, 3]
    assert exported(reader, q="sums") == [2, 3, 4]
    assert exported(reader, q="admin@example.org") == [4]
    assert exported(reader, q="nothing like it") == []
    assert exported(reader, q=str(other.pk)[:8], status_to="CANCELLED") == [4]


@pytest.mark.django_db(transaction=True)
def test_an_export_as_csv(reader: Client, execution: Execution) -> None:
    execution.update_status(Status.FAILED, reason="=1+1")
    response = reader.get(EXPORT, {"status_to": "FAILED", "format": "csv"})
    [row] = csv.DictReader(b"".join(response.streaming_content).decode().splitlines())  # type: ignore[attr-defined]
    assert (row["execution_id"], row["status_to"], row["reason"]) == (str(execution.pk), "FAILED", "'=1+1")
    assert response["Content-Disposition"] == 'attachment; filename="status-log-3.csv"'


def test_exports_are_for_those_who_may_see_the_list(client: Client, reader: Client) -> None:
    assert reader.get(EXPORT, {"format": "xml"}).status_code == 400
    assert reader.get(EXPORT, {"from": "yesterday"}).status_code == 400
    assert reader.post(EXPORT).status_code == 405
    client.force_login(staff("view_execution"))
    assert client.get(EXPORT).status_code == 403
    client.logout()
    assert client.get(EXPORT).status_code == 302
