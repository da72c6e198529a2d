"""The feed as a stream of server-sent events: where it begins, what it sends, and what ends it."""

import time

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from status import feed as feed_module
from status import server_sent_events
from status.models import StatusLog
from status.retention import prune
from status.states import Status

from .feed_client import FeedClient, change_status, events, newest, until_waiting

pytestmark = pytest.mark.django_db(transaction=True)


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
