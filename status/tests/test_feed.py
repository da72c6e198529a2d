"""The feed: long polls and event streams, how long they wait, and what ends them."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from pytest_django import Settings

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status import feed as feed_module
from status import server_sent_events, views
from status.feed import Feed
from status.models import StatusLog
from status.retention import prune
from status.states import Status

from .feed_client import FeedClient

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/status"
Scenario = Callable[[FeedClient], Coroutine[Any, Any, None]]


@pytest.fixture
def run_scenario(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[[Scenario], None]:
    """Run a scenario in an event loop. The web process has one thread, so no client may hold it and wait."""
    settings.WEB_THREADS = 1

    async def in_loop(scenario: Scenario) -> None:
        feed = Feed()
        monkeypatch.setattr(views, "feed", feed)
        client = FeedClient(feed)
        try:
            await scenario(client)
        finally:
            await client.close()

    return lambda scenario: asyncio.run(in_loop(scenario))


def newest() -> int:
    return StatusLog.objects.newest().pk


@sync_to_async
def change_status(execution: Execution, status: str) -> int:
    log = execution.update_status(status)
    assert log is not None
    return log.pk


def ids(text: str) -> list[int]:
    return [row["id"] for row in json.loads(text)["data"]]


def events(text: str) -> list[int]:
    """The ids of a stream's events, each of which must be that of the row in it."""
    found = []
    for event in text.split("\n\n"):
        if event.startswith("id: "):
            head, _, data = event.partition("\ndata: ")
            found.append(int(head.removeprefix("id: ")))
            assert json.loads(data)["id"] == found[-1]
    return found


def test_rows_after_an_id_come_in_order(execution: Execution, admin: User) -> None:
    before = newest()
    for status in (Status.READY, Status.RUNNING, Status.FINISHED):
        execution.update_status(status)
    body = client_of(admin).get(LIST, {"after": before, "per_page": 2}).json()
    assert [row["id"] for row in body["data"]] == [before + 1, before + 2]
    assert (body["page"], body["per_page"], body["total"]) == (1, 2, 3)
    row = client_of(admin).get(LIST, {"per_page": 1}).json()["data"][0]
    assert client_of(admin).get(LIST, {"after": before + 2}).json()["data"] == [row]


def test_without_a_wait_nothing_new_is_an_empty_list(execution: Execution, admin: User) -> None:
    assert client_of(admin).get(LIST, {"after": newest()}).json()["data"] == []


def test_an_id_that_does_not_exist_yet_is_refused(admin: User) -> None:
    answer = client_of(admin).get(LIST, {"after": newest() + 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_yet")
    assert answer.json()["newest"] == newest()


def test_an_id_whose_rows_were_pruned_gets_410_and_the_oldest_id(execution: Execution, admin: User) -> None:
    execution.update_status(Status.FINISHED)
    list(prune(StatusLog.objects.newest().timestamp))
    oldest = StatusLog.objects.earliest("id").pk
    assert oldest > 2
    for headers in ({}, {"accept": "text/event-stream"}):
        answer = client_of(admin).get(LIST, {"after": oldest - 2}, headers=headers)
        assert (answer.status_code, answer["Content-Type"]) == (410, "application/json")
        assert (answer.json()["code"], answer.json()["oldest"]) == ("gone", oldest)
    assert len(client_of(admin).get(LIST, {"after": oldest - 1}).json()["data"]) == 1


@pytest.mark.parametrize(
    "query", ["wait=5", "after=-1", "after=x", "after=1&wait=x", "after=1&wait=nan", "after=1&page=2"]
)
def test_invalid_parameters_are_refused(admin: User, query: str) -> None:
    answer = client_of(admin).get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 1


def test_without_an_event_loop_a_stream_has_the_present_rows_and_ends(
    execution: Execution, admin: User
) -> None:
    answer = client_of(admin).get(LIST, {"after": 0}, headers={"accept": "text/event-stream"})
    assert answer["Content-Type"] == "text/event-stream"
    assert events(answer.content.decode()) == list(range(1, newest() + 1))


def test_a_long_poll_gets_the_next_row_at_once(run_scenario, execution: Execution, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        after = await sync_to_async(newest)()
        async with client.get(admin, {"after": after, "wait": 30}) as waiting:
            await until_waiting(client, 1)
            changed = await change_status(execution, Status.READY)
            assert (await waiting.next())["status"] == 200
            body = json.loads(await waiting.rest())
        assert [row["id"] for row in body["data"]] == [changed]
        assert body["data"][0]["status_to"] == "READY"

    run_scenario(scenario)


def test_a_long_poll_that_times_out_is_an_empty_list(run_scenario, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {"after": await sync_to_async(newest)(), "wait": 0.01}) as waiting:
            assert (await waiting.next())["status"] == 200
            assert json.loads(await waiting.rest())["data"] == []

    run_scenario(scenario)


def test_a_hundred_clients_share_one_poll_of_the_table(
    run_scenario, execution: Execution, admin: User
) -> None:
    async def scenario(client: FeedClient) -> None:
        after = await sync_to_async(newest)()
        asked: list[int] = []
        read = feed_module.rows_after

        def counted(log_id: int, limit: int) -> list[feed_module.Row]:
            asked.append(log_id)
            return read(log_id, limit)

        async def wait_for_row() -> list[int]:
            async with client.get(admin, {"after": after, "wait": 30}) as waiting:
                await waiting.next()
                return ids(await waiting.rest())

        waiting = [asyncio.create_task(wait_for_row()) for _ in range(100)]
        await until_waiting(client, 100)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feed_module, "rows_after", counted)
            changed = await change_status(execution, Status.READY)
            assert await asyncio.gather(*waiting) == [[changed]] * 100
            assert set(asked) == {after}
            assert len(asked) < 50  # polls until the row was written, not one for each client

    run_scenario(scenario)


def test_without_clients_the_table_is_not_polled(run_scenario, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {"after": await sync_to_async(newest)(), "wait": 30}):
            await until_waiting(client, 1)
            looking = client.feed._polling
        assert looking is not None
        await asyncio.wait_for(looking, 10)

    run_scenario(scenario)


def test_a_stream_continues_after_the_last_event_id(run_scenario, execution: Execution, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        first = await change_status(execution, Status.READY)
        second = await change_status(execution, Status.RUNNING)
        async with client.get(admin, {"after": 0}, stream=True, Last_Event_ID=str(first)) as stream:
            start = await stream.next()
            assert (b"Content-Type", b"text/event-stream") in start["headers"]
            assert await stream.part() == "retry: 1000\n\n"
            assert events(await stream.part()) == [second]
            third = await change_status(execution, Status.FINISHED)
            assert events(await stream.part()) == [third]

    run_scenario(scenario)


def test_a_stream_without_an_id_begins_with_the_next_row(
    run_scenario, execution: Execution, admin: User
) -> None:
    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            changed = await change_status(execution, Status.READY)
            assert events(await stream.part()) == [changed]

    run_scenario(scenario)


def test_a_slow_client_gets_rows_that_are_no_longer_in_memory(
    run_scenario, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "KEPT", 3)
    monkeypatch.setattr(server_sent_events, "BATCH", 2)

    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {"after": 0}, stream=True) as ahead:
            await until_waiting(client, 1)
            await sync_to_async(ExecutionFactory.create_batch)(7)
            last = await sync_to_async(newest)()
            async with client.get(admin, {"after": 0}, stream=True) as behind:
                for stream in (ahead, behind):
                    seen: list[int] = []
                    while not seen or seen[-1] < last:
                        seen += events(await stream.part())
                    assert seen == list(range(1, last + 1))

    run_scenario(scenario)


def test_a_silent_stream_sends_comments(run_scenario, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent_events, "HEARTBEAT", 0.05)

    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True) as stream:
            await stream.next()
            assert [await stream.part() for _ in range(3)] == ["retry: 1000\n\n", ":\n\n", ":\n\n"]

    run_scenario(scenario)


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_a_stream_ends_when_its_reader_loses_the_permission(
    run_scenario, admin: User, monkeypatch: pytest.MonkeyPatch, change: dict[str, bool]
) -> None:
    monkeypatch.setattr(server_sent_events, "HEARTBEAT", 0.05)

    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            await User.objects.filter(pk=admin.pk).aupdate(**change)
            assert '"code": "token_expired"' in await stream.rest()

    run_scenario(scenario)


def test_a_stream_ends_when_its_token_expires(
    run_scenario, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sent_events.Reader, "left", lambda reader, most: 0.0)

    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True) as stream:
            await stream.next()
            assert (await stream.rest()).count("event: end\n") == 1

    run_scenario(scenario)


def test_the_time_that_is_left_is_bounded_by_the_token() -> None:
    assert server_sent_events.Reader(time.time() + 5, lambda: True).left(60) <= 5
    assert server_sent_events.Reader(time.time() + 500, lambda: True).left(60) == 60
    assert server_sent_events.Reader(time.time() - 5, lambda: True).left(60) == 0


def test_the_end_of_the_process_ends_every_request(run_scenario, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        after = await sync_to_async(newest)()
        async with (
            client.get(admin, {"after": after, "wait": 60}) as waiting,
            client.get(admin, {}, stream=True) as stream,
        ):
            await until_waiting(client, 2)
            client.feed.end()
            await waiting.next()
            assert ids(await waiting.rest()) == []
            await stream.next()
            assert '"code": "restarting"' in await stream.rest()

    run_scenario(scenario)


def test_a_head_request_does_not_wait(run_scenario, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        after = await sync_to_async(newest)()
        for stream in (False, True):
            query = {} if stream else {"after": after, "wait": 60}
            async with client.get(admin, query, stream=stream, method="HEAD") as head:
                assert (await head.next())["status"] == 200
                assert await head.rest() == ""
        assert client.feed._polling is None

    run_scenario(scenario)


def test_a_client_that_disconnects_waits_no_longer(run_scenario, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True):
            await until_waiting(client, 1)
        assert client.feed._waiting == 0

    run_scenario(scenario)


def test_a_stream_whose_next_rows_are_pruned_ends(run_scenario, execution: Execution, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        await change_status(execution, Status.READY)
        reader = server_sent_events.Reader(time.time() + 60, lambda: True)
        await sync_to_async(lambda: list(prune(StatusLog.objects.newest().timestamp)))()
        parts = [part.decode() async for part in server_sent_events.events(client.feed, reader, 0)]
        assert '"code": "gone"' in parts[-1]

    run_scenario(scenario)


def test_a_lost_database_connection_is_replaced(run_scenario, execution: Execution, admin: User) -> None:
    async def scenario(client: FeedClient) -> None:
        async with client.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            await until_waiting(client, 1)
            await sync_to_async(end_connection)(await client.feed.read(own_connection))
            changed = await change_status(execution, Status.READY)
            assert events(await stream.part()) == [changed]

    run_scenario(scenario)


def own_connection() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def end_connection(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


async def until_waiting(client: FeedClient, count: int) -> None:
    async with asyncio.timeout(20):
        while client.feed._waiting < count or client.feed._first is None:
            await asyncio.sleep(0.01)
