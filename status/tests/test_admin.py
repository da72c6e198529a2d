"""The ledger in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from gef_project.accounts.tests.staff import staff
from gef_project.common.attribution import attributed_to
from status.admin import paging
from status.admin.paging import ids_of_period
from status.models import Source, StatusLog
from status.states import Status

pytestmark = pytest.mark.django_db

LIST = reverse("admin:status_statuslog_changelist")


def page(log_id: int, name: str = "change") -> str:
    return reverse(f"admin:status_statuslog_{name}", args=[log_id])


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(staff("view_statuslog"))
    return client


def listed(client: Client, **parameters: Any) -> list[StatusLog]:
    response = client.get(LIST, parameters)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def many_executions(owner: User, script: object, number: int) -> None:
    Execution.objects.bulk_create(Execution(user=owner, script=script) for _ in range(number))


# --- Who may see it -------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [LIST, page(1), page(1, "history")])
def test_only_staff_with_permission_see_it(client: Client, owner: User, admin: User, url: str) -> None:
    assert client.get(url).status_code == 302
    for user, expected in [(owner, 302), (staff(), 403), (staff("view_statuslog"), 200), (admin, 200)]:
        client.force_login(user)
        assert client.get(url).status_code == expected


@pytest.mark.parametrize("url", [reverse("admin:status_statuslog_add"), page(1, "delete")])
def test_nobody_adds_or_deletes_a_row(client: Client, admin: User, url: str) -> None:
    client.force_login(admin)
    assert client.get(url).status_code == 403
    assert client.post(url, {"post": "yes"}).status_code == 403


def test_nobody_changes_a_row(client: Client, admin: User) -> None:
    client.force_login(admin)
    assert client.post(page(1), {"reason": "changed"}).status_code == 403
    assert b"_save" not in client.get(page(1)).content


def test_no_action_is_offered(client: Client, admin: User, execution: Execution) -> None:
    client.force_login(admin)
    newest = StatusLog.objects.newest()
    assert b"delete_selected" not in client.get(LIST).content
    client.post(LIST, {"action": "delete_selected", "_selected_action": newest.pk, "post": "yes"})
    assert StatusLog.objects.newest() == newest


# --- What a row shows -----------------------------------------------------------------------------------


def test_the_newest_row_is_first_whatever_the_url_says(reader: Client, execution: Execution) -> None:
    execution.update_status(Status.RUNNING)
    rows = list(StatusLog.objects.order_by("-id"))
    assert listed(reader) == listed(reader, o="1") == rows


def test_a_row_shows_its_move_and_who_and_why(reader: Client, execution: Execution, admin: User) -> None:
    log = execution.update_status(Status.FAILED, actor=admin, source=Source.SHELL, reason="disk full")
    assert log is not None
    log.refresh_from_db()
    link = reverse("admin:executions_execution_change", args=[execution.pk])
    for url in (LIST, page(log.pk)):
        html = reader.get(url).text
        assert '<span class="status-badge status-pending">Pending</span> → ' in html
        assert '<span class="status-badge status-failed">Failed</span>' in html
        assert f"{log.timestamp:%Y-%m-%d %H:%M:%S}.{log.timestamp.microsecond // 1000:03} UTC</time>" in html
        assert f'href="{link}"' in html
        for text in ("admin@example.org", "shell", "disk full"):
            assert text in html


def test_a_row_outlives_its_execution_and_its_actor(reader: Client, execution: Execution) -> None:
    gone = UserFactory()
    log = execution.update_status(Status.FAILED, actor=gone)
    assert log is not None
    ids = execution.pk, gone.pk
    execution.delete()
    gone.delete()
    html = reader.get(page(log.pk)).text
    assert all(str(pk) in html for pk in ids)
    assert "executions/execution" not in html
    assert "Failed</span> → deleted" in reader.get(LIST).text


# --- Filters and search ---------------------------------------------------------------------------------


@pytest.fixture
def story(execution: Execution, admin: User) -> list[StatusLog]:
    """A creation, two moves, a deletion and a snapshot, in this order after the first row."""
    execution.update_status(Status.RUNNING, source=Source.WORKER)
    execution.update_status(Status.FINISHED, source=Source.API)
    with attributed_to(admin, Source.CLEANUP):
        execution.delete()
    StatusLog.objects.append_snapshot(source=Source.REPAIR)
    return list(StatusLog.objects.order_by("id"))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"event": "creation"}, [1]),
        ({"event": "transition"}, [3, 2]),
        ({"event": "deletion"}, [4]),
        ({"event": "snapshot"}, [5, 0]),
        ({"status_from": "RUNNING"}, [3]),
        ({"status_to": "RUNNING"}, [2]),
        ({"status_to": "RUNNING", "source": "api"}, []),
        ({"source": "cleanup"}, [4]),
        ({"source": "none"}, [1]),
    ],
)
def test_filters(
    reader: Client, story: list[StatusLog], parameters: dict[str, str], expected: list[int]
) -> None:
    assert listed(reader, **parameters) == [story[index] for index in expected]


def test_a_period_is_from_a_moment_on_and_before_another(reader: Client, story: list[StatusLog]) -> None:
    start, end = story[2].timestamp.isoformat(), story[4].timestamp.isoformat()
    assert listed(reader, **{"from": start}) == story[:1:-1]
    assert listed(reader, before=end) == story[3::-1]
    assert listed(reader, **{"from": start, "before": end}) == [story[3], story[2]]
    assert listed(reader, **{"from": end, "before": start}) == []
    assert listed(reader, **{"from": start, "event": "snapshot"}) == [story[5]]


def test_a_moment_without_offset_is_in_utc(reader: Client, story: list[StatusLog]) -> None:
    naive = story[3].timestamp.replace(tzinfo=None).isoformat()
    assert listed(reader, before=naive) == story[2::-1]


def test_a_period_that_is_no_moment_is_refused(reader: Client) -> None:
    assert reader.get(LIST, {"from": "yesterday"})["Location"] == f"{LIST}?e=1"


def test_a_period_outside_of_the_ledger_is_empty(story: list[StatusLog]) -> None:
    first, last = story[0], story[-1]
    day = timedelta(days=1)
    assert not ids_of_period(None, first.timestamp - day)
    assert not ids_of_period(last.timestamp + day, None)
    assert ids_of_period(first.timestamp - day, last.timestamp + day) == range(first.pk, last.pk + 1)


def test_the_forms_keep_the_filters(reader: Client, story: list[StatusLog]) -> None:
    html = reader.get(LIST, {"event": "transition", "source": "none"}).text
    assert '<input type="hidden" name="event" value="transition">' in html
    assert '<option value="transition" selected>' in html
    assert '<input type="hidden" name="source" value="none">' in html


def test_every_source_fits_its_column() -> None:
    longest = StatusLog._meta.get_field("source").max_length
    assert longest is not None
    assert max(map(len, Source)) <= longest


# --- What it costs --------------------------------------------------------------------------------------


def queries(client: Client, **parameters: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        listed(client, **parameters)
    return [query["sql"] for query in captured]


def test_more_rows_cost_no_more_queries(reader: Client, owner: User, script: object, admin: User) -> None:
    many_executions(owner, script, 3)
    few = len(queries(reader))
    Execution.objects.all().update_status(Status.RUNNING, actor=admin)
    many_executions(UserFactory(), script, 50)
    assert len(queries(reader)) == few


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"at": "30"},
        {"at": "2100-01-01"},
        {"before": "2100-01-01"},
        {"event": "creation"},
        {"event": "creation", "at": "105"},
        {"q": "owner@"},
        {"q": "sums"},
    ],
)
def test_no_list_counts_rows_or_skips_them(
    reader: Client, owner: User, script: object, parameters: dict[str, str]
) -> None:
    many_executions(owner, script, 120)
    assert not [sql for sql in queries(reader, **parameters) if "COUNT(" in sql or "OFFSET" in sql]


@pytest.mark.parametrize("parameters", [{}, {"event": "creation"}, {"q": "owner@example.org"}, {"q": "Sums"}])
def test_pages_follow_each_other(
    reader: Client, owner: User, script: object, parameters: dict[str, str]
) -> None:
    many_executions(owner, script, 230)
    url, seen = LIST, []
    for size in (100, 100, 31 if not parameters else 30):
        changes = reader.get(url, parameters if url == LIST else {}).context["cl"]
        assert len(changes.result_list) == size
        seen += [log.pk for log in changes.result_list]
        url = LIST + changes.older_link
    assert not changes.older
    assert seen == sorted(set(seen), reverse=True)


def test_new_rows_do_not_move_an_older_page(reader: Client, owner: User, script: object) -> None:
    many_executions(owner, script, 120)
    page = listed(reader, at=21)
    assert [log.pk for log in page] == list(range(21, 0, -1))
    many_executions(owner, script, 3)
    assert listed(reader, at=21) == page
    newer = reader.get(LIST + reader.get(LIST, {"at": 21}).context["cl"].newer_link).context["cl"]
    assert [log.pk for log in newer.result_list] == list(range(121, 21, -1))


def test_the_count_of_the_whole_list_and_of_a_period_is_exact(reader: Client, story: list[StatusLog]) -> None:
    assert "6 rows" in reader.get(LIST).text
    assert "3 rows" in reader.get(LIST, {"from": story[3].timestamp.isoformat()}).text


def test_a_filter_without_index_looks_through_the_newest_rows_and_says_so(
    reader: Client, story: list[StatusLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOKED_THROUGH", 3)
    response = reader.get(LIST, {"event": "transition"})
    assert list(response.context["cl"].result_list) == [story[3]]
    assert f"Looked through 3 rows, down to row {story[3].pk}." in response.text
    older = reader.get(LIST + response.context["cl"].older_link)
    assert list(older.context["cl"].result_list) == [story[2]]
    assert "Looked through" not in older.text
