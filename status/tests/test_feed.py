"""The feed: rows after an id, and long polls that wait for one."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status import feed as feed_module
from status.models import StatusLog
from status.retention import prune
from status.states import Status

from .feed_client import FeedClient, change_status, events, ids, newest, until_waiting

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/status"


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
