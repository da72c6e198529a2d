"""Starts the embedded server at the first connection, and again should it have stopped."""

from typing import Any

from django.db.backends.postgresql import base

from . import server


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        self.settings_dict["HOST"] = server.server.start()
        return super().get_connection_params()
