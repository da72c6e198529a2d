"""The broker in a folder."""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

MESSAGES = 2_000


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Connection]:
    folders = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    return lambda: Connection(transport="gef_project.devserver.broker:Transport", transport_options=folders)


def test_a_message_is_never_seen_half_written(connect: Callable[[], Connection]) -> None:
    def write() -> None:
        with connect() as connection:
            for number in range(MESSAGES):
                connection.default_channel._put("q", {"number": number})

    writer = threading.Thread(target=write)
    writer.start()
    numbers: list[int] = []
    with connect() as connection:
        while writer.is_alive() or len(numbers) < MESSAGES:
            try:
                numbers.append(connection.default_channel._get("q")["number"])
            except Empty:
                continue
    writer.join()
    assert numbers == list(range(MESSAGES))


def test_each_queue_has_its_own_messages(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        channel = connection.default_channel
        channel._put("runs", {"a": 1})
        with pytest.raises(Empty):
            channel._get("q")
        assert channel._get("runs") == {"a": 1}
