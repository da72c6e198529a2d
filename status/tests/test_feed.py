"""Waiting for what is new: who waits, for how long, and what ends it."""

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
from status import feed as feeds
from status import server_sent_events, views
from status.feed import Feed
from status.models import StatusLog
from status.retention import prune
from status.states import Status

from .feed_client import FeedClient

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/status"
Scene = Callable[[FeedClient], Coroutine[Any, Any, None]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[[Scene], None]:
    """Play a scene in an event loop, with a web process that has one thread: nobody may hold it and wait."""
    settings.WEB_THREADS = 1

    async def in_loop(scene: Scene) -> None:
        feed = Feed()
        monkeypatch.setattr(views, "feed", feed)
        talk = FeedClient(feed)
        try:
            await scene(talk)
        finally:
            await talk.close()

    return lambda scene: asyncio.run(in_loop(scene))


def newest() -> int:
    return StatusLog.objects.newest().pk


@sync_to_async
def move(execution: Execution, status: str) -> int:
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


def test_a_place_that_is_not_there_yet_is_refused(admin: User) -> None:
    answer = client_of(admin).get(LIST, {"after": newest() + 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_yet")
    assert answer.json()["newest"] == newest()


def test_a_place_whose_rows_are_gone_says_what_is_left(execution: Execution, admin: User) -> None:
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
def test_odd_questions_are_refused(admin: User, query: str) -> None:
    answer = client_of(admin).get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 1


def test_without_an_event_loop_a_stream_is_what_there_is(execution: Execution, admin: User) -> None:
    answer = client_of(admin).get(LIST, {"after": 0}, headers={"accept": "text/event-stream"})
    assert answer["Content-Type"] == "text/event-stream"
    assert events(answer.content.decode()) == list(range(1, newest() + 1))


def test_who_waits_gets_the_next_row_at_once(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        after = await sync_to_async(newest)()
        async with talk.get(admin, {"after": after, "wait": 30}) as waiting:
            await until_waiting(talk, 1)
            moved = await move(execution, Status.READY)
            assert (await waiting.next())["status"] == 200
            body = json.loads(await waiting.rest())
        assert [row["id"] for row in body["data"]] == [moved]
        assert body["data"][0]["status_to"] == "READY"

    play(scene)


def test_a_wait_that_is_over_is_an_empty_list(play, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {"after": await sync_to_async(newest)(), "wait": 0.01}) as waiting:
            assert (await waiting.next())["status"] == 200
            assert json.loads(await waiting.rest())["data"] == []

    play(scene)


def test_a_hundred_who_wait_cost_one_look(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        after = await sync_to_async(newest)()
        asked: list[int] = []
        read = feeds.rows_after

        def counted(log_id: int, limit: int) -> list[feeds.Row]:
            asked.append(log_id)
            return read(log_id, limit)

        async def wait_for_row() -> list[int]:
            async with talk.get(admin, {"after": after, "wait": 30}) as waiting:
                await waiting.next()
                return ids(await waiting.rest())

        waiting = [asyncio.create_task(wait_for_row()) for _ in range(100)]
        await until_waiting(talk, 100)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feeds, "rows_after", counted)
            moved = await move(execution, Status.READY)
            assert await asyncio.gather(*waiting) == [[moved]] * 100
            assert set(asked) == {after}
            assert len(asked) < 50  # looks while the move was made, not one for each

    play(scene)


def test_when_nobody_waits_nobody_looks(play, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {"after": await sync_to_async(newest)(), "wait": 30}):
            await until_waiting(talk, 1)
            looking = talk.feed._looking
        assert looking is not None
        await asyncio.wait_for(looking, 10)

    play(scene)


def test_a_stream_goes_on_from_the_last_event(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        first = await move(execution, Status.READY)
        second = await move(execution, Status.RUNNING)
        async with talk.get(admin, {"after": 0}, stream=True, Last_Event_ID=str(first)) as stream:
            start = await stream.next()
            assert (b"Content-Type", b"text/event-stream") in start["headers"]
            assert await stream.part() == "retry: 1000\n\n"
            assert events(await stream.part()) == [second]
            third = await move(execution, Status.FINISHED)
            assert events(await stream.part()) == [third]

    play(scene)


def test_a_stream_begins_now_unless_told_from_where(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            moved = await move(execution, Status.READY)
            assert events(await stream.part()) == [moved]

    play(scene)


def test_who_lags_behind_reads_what_is_no_longer_kept_at_hand(
    play, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 3)
    monkeypatch.setattr(server_sent_events, "BATCH", 2)

    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {"after": 0}, stream=True) as ahead:
            await until_waiting(talk, 1)
            await sync_to_async(ExecutionFactory.create_batch)(7)
            last = await sync_to_async(newest)()
            async with talk.get(admin, {"after": 0}, stream=True) as behind:
                for stream in (ahead, behind):
                    seen: list[int] = []
                    while not seen or seen[-1] < last:
                        seen += events(await stream.part())
                    assert seen == list(range(1, last + 1))

    play(scene)


def test_a_silent_stream_shows_that_it_is_alive(play, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent_events, "HEARTBEAT", 0.05)

    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True) as stream:
            await stream.next()
            assert [await stream.part() for _ in range(3)] == ["retry: 1000\n\n", ":\n\n", ":\n\n"]

    play(scene)


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_a_stream_ends_when_its_reader_may_no_longer_read(
    play, admin: User, monkeypatch: pytest.MonkeyPatch, change: dict[str, bool]
) -> None:
    monkeypatch.setattr(server_sent_events, "HEARTBEAT", 0.05)

    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            await User.objects.filter(pk=admin.pk).aupdate(**change)
            assert '"code": "token_expired"' in await stream.rest()

    play(scene)


def test_a_stream_ends_with_its_token(play, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent_events.Reader, "left", lambda reader, most: 0.0)

    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True) as stream:
            await stream.next()
            assert (await stream.rest()).count("event: end\n") == 1

    play(scene)


def test_the_time_that_is_left_is_the_tokens() -> None:
    assert server_sent_events.Reader(time.time() + 5, lambda: True).left(60) <= 5
    assert server_sent_events.Reader(time.time() + 500, lambda: True).left(60) == 60
    assert server_sent_events.Reader(time.time() - 5, lambda: True).left(60) == 0


def test_the_end_of_the_process_ends_every_wait(play, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        after = await sync_to_async(newest)()
        async with (
            talk.get(admin, {"after": after, "wait": 60}) as waiting,
            talk.get(admin, {}, stream=True) as stream,
        ):
            await until_waiting(talk, 2)
            talk.feed.end()
            await waiting.next()
            assert ids(await waiting.rest()) == []
            await stream.next()
            assert '"code": "restarting"' in await stream.rest()

    play(scene)


def test_a_question_for_the_headers_waits_for_nothing(play, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        after = await sync_to_async(newest)()
        for stream in (False, True):
            query = {} if stream else {"after": after, "wait": 60}
            async with talk.get(admin, query, stream=stream, method="HEAD") as head:
                assert (await head.next())["status"] == 200
                assert await head.rest() == ""
        assert talk.feed._looking is None

    play(scene)


def test_a_client_that_hangs_up_waits_no_longer(play, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True):
            await until_waiting(talk, 1)
        assert talk.feed._waiting == 0

    play(scene)


def test_a_stream_whose_place_is_pruned_says_so(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        await move(execution, Status.READY)
        reader = server_sent_events.Reader(time.time() + 60, lambda: True)
        await sync_to_async(lambda: list(prune(StatusLog.objects.newest().timestamp)))()
        parts = [part.decode() async for part in server_sent_events.events(talk.feed, reader, 0)]
        assert '"code": "gone"' in parts[-1]

    play(scene)


def test_a_connection_that_is_lost_is_made_anew(play, execution: Execution, admin: User) -> None:
    async def scene(talk: FeedClient) -> None:
        async with talk.get(admin, {}, stream=True) as stream:
            await stream.next()
            await stream.part()
            await until_waiting(talk, 1)
            await sync_to_async(end_connection)(await talk.feed.read(own_connection))
            moved = await move(execution, Status.READY)
            assert events(await stream.part()) == [moved]

    play(scene)


def own_connection() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def end_connection(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


async def until_waiting(talk: FeedClient, count: int) -> None:
    async with asyncio.timeout(20):
        while talk.feed._waiting < count or talk.feed._first is None:
            await asyncio.sleep(0.01)
