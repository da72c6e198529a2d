"""Clients of the feed that reconnect miss no row when the web server or PostgreSQL restarts."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from .writer_process import EMAIL, PASSWORD

PATIENCE = 60  # seconds until the test fails


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Service:
    """A web server and writers of their own, on an embedded PostgreSQL of their own."""

    def __init__(self, var_dir: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._pid_file = var_dir / "postgres" / "postmaster.pid"
        self._env = {**os.environ, "VAR_DIR": str(var_dir), "PORT": str(self.port), "DEBUG": "1"}
        self._env.pop("DATABASE_URL", None)
        self._log = (var_dir / "web.log").open("wb")
        self._web: subprocess.Popen[bytes]
        subprocess.run(
            self._command("status.tests.writer_process", "--prepare"), **self._options(), check=True
        )

    def _command(self, *module_and_arguments: str) -> list[str]:
        return [sys.executable, "-m", *module_and_arguments]

    def _options(self) -> dict[str, Any]:
        return {"env": self._env, "cwd": settings.BASE_DIR, "start_new_session": True}

    def start_web(self) -> None:
        command = self._command("gunicorn", "--config", "deploy/gunicorn.conf.py")
        self._web = subprocess.Popen(command, **self._options(), stdout=self._log, stderr=self._log)

    def restart_web(self) -> None:
        self._web.terminate()
        assert self._web.wait(PATIENCE) == 0
        self.start_web()

    def kill_web(self) -> None:
        os.killpg(self._web.pid, signal.SIGKILL)
        self._web.wait()
        self.start_web()

    def kill_database(self) -> None:
        """The next connection starts it again."""
        os.kill(int(self._pid_file.read_text().split()[0]), signal.SIGKILL)

    @contextmanager
    def writer(self) -> Iterator[list[int]]:
        """Run a process that changes statuses; yields the ids of the rows that it has committed."""
        acknowledged: list[int] = []
        process = subprocess.Popen(
            self._command("status.tests.writer_process"), **self._options(), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = process.stdout
        reading = threading.Thread(target=lambda: acknowledged.extend(int(line) for line in lines))
        reading.start()
        try:
            yield acknowledged
        finally:
            process.kill()
            process.wait()
            reading.join()
            lines.close()

    def close(self) -> None:
        self._web.terminate()
        self._web.wait(PATIENCE)
        self._log.close()

    @contextmanager
    def ask(
        self, path: str, headers: dict[str, str] | None = None, body: str | None = None, timeout: float = 10
    ) -> Iterator[http.client.HTTPResponse]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request("POST" if body else "GET", path, body, headers or {})
            with connection.getresponse() as answer:
                yield answer

    def is_healthy(self) -> bool:
        try:
            with self.ask("/api-health") as answer:
                return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False

    def log_in(self) -> str:
        body = json.dumps({"email": EMAIL, "password": PASSWORD})
        with self.ask("/auth", {"Content-Type": "application/json"}, body) as answer:
            return f"Bearer {json.load(answer)['access_token']}"


class Reader(ABC, threading.Thread):
    """Reads all rows, and reconnects whenever the connection is lost."""

    def __init__(self, service: Service, token: str) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.token = token
        self.seen: list[int] = [0]
        self.refusals: list[int] = []
        self.reconnections = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set() and not self.refusals:
            try:
                with self.ask() as answer:
                    if answer.status == 200:
                        self.read(answer)
                    elif answer.status < 500:
                        self.refusals.append(answer.status)
            except (OSError, http.client.HTTPException):
                self.reconnections += 1
                time.sleep(0.05)

    @abstractmethod
    def ask(self) -> AbstractContextManager[http.client.HTTPResponse]: ...

    @abstractmethod
    def read(self, answer: http.client.HTTPResponse) -> None: ...


class Poller(Reader):
    def ask(self) -> AbstractContextManager[http.client.HTTPResponse]:
        query = f"after={self.seen[-1]}&wait=5&per_page=50"
        return self.service.ask(f"/api/v1/status?{query}", {"Authorization": self.token})

    def read(self, answer: http.client.HTTPResponse) -> None:
        self.seen += [row["id"] for row in json.load(answer)["data"]]


class Streamer(Reader):
    def ask(self) -> AbstractContextManager[http.client.HTTPResponse]:
        place = {"Accept": "text/event-stream", "Last-Event-ID": str(self.seen[-1])}
        return self.service.ask("/api/v1/status", {"Authorization": self.token, **place}, timeout=3)

    def read(self, answer: http.client.HTTPResponse) -> None:
        for line in answer:
            if line.startswith(b"id: "):
                number = int(line.removeprefix(b"id: "))
            elif line.startswith(b'data: {"id"'):
                assert json.loads(line.removeprefix(b"data: "))["id"] == number
                self.seen.append(number)
            if self.done.is_set():
                return
        self.reconnections += 1


@pytest.fixture
def service() -> Iterator[Service]:
    # Not in pytest's directory, which the embedded server's user may not enter.
    with tempfile.TemporaryDirectory(prefix="gef-test-") as directory:
        service = Service(Path(directory))
        service.start_web()
        try:
            wait_until(service.is_healthy)
            yield service
        finally:
            service.close()


@pytest.mark.timeout(600)
def test_clients_that_reconnect_see_every_row_once_in_order(service: Service, request) -> None:
    token = service.log_in()
    readers: list[Reader] = [Poller(service, token), Streamer(service, token)]
    disturbances = [service.restart_web, service.kill_database, service.kill_web]
    with ExitStack() as stack:
        written = [stack.enter_context(service.writer()) for _ in range(2)]
        for reader in readers:
            reader.start()
        for number in range(request.config.getoption("restarts")):
            before = [len(rows) for rows in (*written, *(reader.seen for reader in readers))]
            time.sleep(random.uniform(0.2, 1))
            disturbances[number % len(disturbances)]()
            wait_until(service.is_healthy)
            for rows, length in zip((*written, *(reader.seen for reader in readers)), before, strict=True):
                wait_until(lambda rows=rows, length=length: len(rows) > length + 5)
    acknowledged = {row for rows in written for row in rows}
    wait_until(lambda: all(reader.seen[-1] >= max(acknowledged) for reader in readers))
    for reader in readers:
        reader.done.set()
        reader.join(PATIENCE)
        assert reader.refusals == []
        assert reader.seen == list(range(reader.seen[-1] + 1))
        assert acknowledged <= set(reader.seen)
    assert readers[1].reconnections >= request.config.getoption("restarts")
