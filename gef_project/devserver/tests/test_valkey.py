"""The embedded Valkey as Celery's broker."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from gef_project.common.waiting import still_running
from gef_project.devserver import valkey
from gef_project.devserver.embedded import SOCKET_PATH_MAX
from gef_project.devserver.valkey import Server

pytestmark = pytest.mark.apart

MESSAGES = 500
QUEUE = Queue("numbers", routing_key="numbers")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server.for_this_process(tmp_path)
    yield server
    server.join()
    server.leave()


def connect(var_dir: Path) -> Connection:
    return Connection(f"valkey://{var_dir}", transport="gef_project.devserver.valkey:Transport")


def send(var_dir: Path, *numbers: int) -> None:
    with connect(var_dir) as connection, connection.SimpleQueue(QUEUE) as queue:
        for number in numbers:
            queue.put(number)


def receive(var_dir: Path, results: "multiprocessing.SimpleQueue[int | None]") -> None:
    """What a worker does: take messages until there are no more."""
    with connect(var_dir) as connection, connection.SimpleQueue(QUEUE) as queue:
        while True:
            try:
                message = queue.get(timeout=2)
            except queue.Empty:
                break
            message.ack()
            results.put(message.payload)
    results.put(None)


def received(var_dir: Path, receivers: int = 1) -> list[int]:
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    processes = [context.Process(target=receive, args=[var_dir, results]) for _ in range(receivers)]
    for process in processes:
        process.start()
    numbers: list[int] = []
    while receivers:
        if (number := results.get()) is None:
            receivers -= 1
        else:
            numbers.append(number)
    for process in processes:
        process.join()
    return numbers


def kill(server: Server) -> None:
    process = server.process()
    assert process is not None
    process.kill()
    assert still_running([process], 10) == []


def test_messages_survive_a_kill_and_a_restart(server: Server, tmp_path: Path) -> None:
    send(tmp_path, *range(100))
    kill(server)
    send(tmp_path, *range(100, 200))
    server.leave()
    assert server.process() is None
    assert received(tmp_path) == list(range(200))


def test_each_message_goes_to_one_of_many_receivers(server: Server, tmp_path: Path) -> None:
    send(tmp_path, *range(MESSAGES))
    assert sorted(received(tmp_path, receivers=4)) == list(range(MESSAGES))


def test_it_runs_as_long_as_somebody_uses_it(server: Server, tmp_path: Path) -> None:
    server.start()
    other = Server(tmp_path)
    other.start()
    server.leave()
    assert other.process() is not None
    other.leave()
    assert other.process() is None


def test_a_connection_that_was_open_when_the_server_died_comes_back(server: Server, tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        connection.default_channel.client.set("key", "value")
        kill(server)
        with suppress(*connection.connection_errors):  # only the first use of it may fail
            connection.default_channel.client.ping()
        assert connection.default_channel.client.get("key") == b"value"


def test_nobody_else_gets_to_it(server: Server, tmp_path: Path) -> None:
    server.start()
    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    assert server.socket.stat().st_mode & 0o777 == 0o700
    process = server.process()
    assert process is not None
    assert process.net_connections("inet") == []


def test_a_path_too_long_for_a_socket_will_do(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * SOCKET_PATH_MAX)
    deep.mkdir()
    server = Server.for_this_process(deep)
    send(deep, 1)
    assert server.socket_dir() != server.data_dir
    server.leave()
    server.socket_dir().rmdir()


def test_a_server_that_cannot_start_says_why(server: Server, tmp_path: Path) -> None:
    send(tmp_path, 1)
    kill(server)
    next((server.data_dir / "appendonlydir").glob("*.manifest")).write_text("spoilt")
    begin = time.monotonic()
    with pytest.raises(valkey.ServerFailed, match="does not start: The AOF manifest file contains"):
        server.start()
    assert time.monotonic() - begin < valkey.RECOVERY


def test_a_machine_without_a_valkey_is_told_to_name_a_broker(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(OperationalError, match=r"no embedded Valkey .* Set CELERY_BROKER_URL"):
        send(tmp_path, 1)
