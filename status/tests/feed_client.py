"""A client of the ASGI application in the test's own event loop, for responses that are streamed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.db import connections

from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.asgi import Application
from status.feed import Feed
from status.models import StatusLog

PATIENCE = 20  # seconds until a test fails


class FeedResponse:
    """A response whose ASGI messages are read one at a time."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.disconnected = asyncio.Event()
        self.answering: asyncio.Task[None] | None = None

    async def receive(self) -> dict[str, Any]:
        if self.answering is None:
            self.answering = asyncio.current_task()
            return {"type": "http.request"}
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), PATIENCE)

    async def part(self) -> str:
        body: bytes = (await self.next()).get("body", b"")
        return body.decode()

    async def rest(self) -> str:
        """The body from here to its end."""
        parts: list[str] = []
        more = True
        while more:
            message = await self.next()
            parts.append(message.get("body", b"").decode())
            more = message.get("more_body", False)
        return "".join(parts)


class FeedClient:
    """Sends requests to one web process, which has this feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._application = Application()

    @asynccontextmanager
    async def get(
        self, user: User, query: dict[str, Any], stream: bool = False, method: str = "GET", **headers: str
    ) -> AsyncIterator[FeedResponse]:
        given = {"Authorization": f"Bearer {refresh_token_for(user).access_token}", "Host": "localhost"}
        given |= {"Accept": "text/event-stream"} if stream else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": "/api/v1/status",
            "query_string": urlencode(query).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        }
        response = FeedResponse()
        answer = self._application(scope, response.receive, response.sent.put)
        answering = asyncio.create_task(answer)
        try:
            yield response
        finally:
            response.disconnected.set()
            await asyncio.wait_for(answering, PATIENCE)

    async def close(self) -> None:
        """Close the database connections of each thread, so that the test's database can be dropped."""
        for threads in (self._application._threads, self.feed._reader):
            await asyncio.wrap_future(threads.submit(connections.close_all))
            threads.shutdown()
        await sync_to_async(connections.close_all)()


Scenario = Callable[[FeedClient], Coroutine[Any, Any, None]]


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


async def until_waiting(client: FeedClient, count: int) -> None:
    async with asyncio.timeout(20):
        while client.feed._waiting < count or client.feed._first is None:
            await asyncio.sleep(0.01)
