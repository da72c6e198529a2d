"""Starts the embedded server at the first connection, and again should it have stopped."""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import base, client

from . import server


class DatabaseClient(client.DatabaseClient):
    """``manage.py dbshell``: the server's own psql, on the server's socket."""

    executable_name = str(server.BIN / "psql")

    def runshell(self, parameters: Iterable[str]) -> None:
        self.connection.ensure_connection()
        super().runshell(parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        self.settings_dict["HOST"] = server.server.start()
        return super().get_connection_params()
