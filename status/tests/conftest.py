"""What the tests of this app share."""

import asyncio
from collections.abc import Callable

import pytest
from pytest_django import Settings

from status import views
from status.feed import Feed

from .feed_client import FeedClient, Scenario


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
