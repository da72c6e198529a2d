"""The admin's list of executions: what it shows, finds, counts and refuses."""

from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.admin import listing, lookups
from executions.models import Execution
from status.states import Status

from .admin_pages import LIST
from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


def listed(client: Client, **parameters: Any) -> set[Execution]:
    return set(client.get(LIST, parameters).context["rows"])


def test_the_list_shows_status_progress_and_times(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.RUNNING, progress=42)
    html = superuser.get(LIST).text
    assert '<span class="status-badge status-running">Running</span>' in html
    assert '<progress max="100" value="42" aria-label="Progress"></progress> 42%' in html
    assert f'<time datetime="{execution.start_date.isoformat()}" data-relative>' in html


def test_the_list_says_why_an_execution_failed(superuser: Client, execution: Execution) -> None:
    execution.update_status(Status.FAILED, source="worker", reason="disk <full>")
    assert "disk &lt;full&gt;" in superuser.get(LIST).text


def test_search_by_id_script_user_worker_and_error(superuser: Client, execution: Execution) -> None:
    other = ExecutionFactory()
    execution.claim("w7@host")
    execution.update_status(Status.FAILED, reason="No space left on the device")
    for term in (execution.pk, execution.pk.hex, str(execution.pk)[:8], "OWNER@", "sum", "w7", "SPACE left"):
        assert listed(superuser, q=term) == {execution}, term
    for term in (uuid4(), "nobody", "wner@", "ums", "deadbeef"):
        assert listed(superuser, q=term) == set(), term
    assert listed(superuser, q=" ") == {execution, other}


def test_filters(superuser: Client, execution: Execution) -> None:
    other = ExecutionFactory(status=Status.FAILED)
    other_worker = ExecutionFactory()
    other_worker.claim("w7@host")
    assert listed(superuser, status="FAILED") == {other}
    assert listed(superuser, status="pending") == {execution}
    assert listed(superuser, script="sums") == {execution}
    assert listed(superuser, user=execution.user.email) == {execution}
    assert listed(superuser, worker="w7") == {other_worker}
    assert listed(superuser, **{"from": other.start_date.isoformat()}) == {other, other_worker}
    assert listed(superuser, before=other.start_date.isoformat()) == {execution}
    assert listed(superuser, status="FAILED", script="sums") == set()
    assert listed(superuser, status="PENDING", script="sums", user="OWNER@example.org") == {execution}


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "\0"},
        {"status": "GONE"},
        {"q": "\0"},
        {"from": "yesterday"},
        {"before": "9999-99-99"},
        {"after": "x_y"},
        {"until": "2026-01-01T00:00:00_"},
        {"params__a": "1"},
        {"results__a__contains": "x"},
        {"p": "-1"},
        {"user__password__startswith": "a"},
    ],
)
def test_an_odd_parameter_is_as_if_it_were_not_given(
    superuser: Client, execution: Execution, odd: dict[str, str]
) -> None:
    assert listed(superuser, **odd) == {execution}


@pytest.mark.parametrize("odd", [{"script": "\0x"}, {"user": "%00%"}, {"q": "%' --"}, {"worker": "\\_%"}])
def test_an_odd_value_fits_nothing(superuser: Client, execution: Execution, odd: dict[str, str]) -> None:
    assert listed(superuser, **odd) == set()


def test_a_filter_is_a_chip_that_can_be_taken_off(superuser: Client, execution: Execution) -> None:
    html = superuser.get(LIST, {"script": "sums", "status": "PENDING"}).text
    assert 'href="?status=PENDING"' in html
    assert "Script: sums" in html


def test_tabs_have_exact_counts_without_filters_and_bounded_ones_with(
    superuser: Client, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    ExecutionFactory.create_batch(2, script=execution.script)
    ExecutionFactory(status=Status.FAILED)

    def counts(**parameters: str) -> dict[str, str]:
        tabs = superuser.get(LIST, parameters).context["tabs"]
        return {tab["label"]: tab["count"] for tab in tabs}

    assert (counts()["Pending"], counts()["Failed"]) == ("3", "1")
    assert (counts(script="sums")["Pending"], counts(script="sums")["Failed"]) == ("3", "0")
    monkeypatch.setattr(listing, "MOST_COUNTED", 2)
    assert counts(script="sums")["Pending"] == "2+"
    assert counts(q="sums")["Pending"] == ""


def test_pages_have_each_row_once_in_both_directions(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions = ExecutionFactory.create_batch(7)
    Execution.objects.filter(pk__in=[one.pk for one in executions[:4]]).update(start_date=timezone.now())
    expected = list(Execution.objects.values_list("pk", flat=True))
    monkeypatch.setattr(listing, "PER_PAGE", 3)

    def walk(url: str, direction: str) -> list[list[Any]]:
        pages = []
        while url:
            context = superuser.get(LIST + url).context
            pages.append([row.pk for row in context["rows"]])
            last, url = url, getattr(context["listing"], direction)
        ends.append(last)
        return pages

    ends: list[str] = []
    forward = walk("?", "older_url")
    assert list(chain(*forward)) == expected
    back = walk(ends[0], "newer_url")
    assert list(chain(*back[::-1])) == expected


def test_what_no_index_has_is_looked_for_piece_by_piece(
    superuser: Client, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "LOOKED_THROUGH", 2)
    execution.claim("w7@host")
    ExecutionFactory.create_batch(3)
    first = superuser.get(LIST, {"worker": "w7"})
    assert list(first.context["rows"]) == []
    assert "Look through older ones" in first.text
    second = superuser.get(LIST + first.context["listing"].older_url)
    assert list(second.context["rows"]) == [execution]


def test_more_executions_cost_no_more_queries(superuser: Client, execution: Execution) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            superuser.get(LIST)
        return len(captured)

    ExecutionFactory.create_batch(4)
    few = queries()
    ExecutionFactory.create_batch(45)
    assert queries() == few
