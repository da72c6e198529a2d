"""The default broker: Celery's messages as files, each of which appears at once and complete.

kombu's own transport of this kind shows readers a message, or a table of bindings, that is still being
written; whoever reads one then is stopped by an error. It also moves each message through the directory for
temporary files.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        message = Path(self.data_folder_out, f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg")
        hidden = _hidden(message)
        hidden.write_text(dumps(payload))
        hidden.rename(message)

    def _get(self, queue: str) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - a Path of each takes three times as long
            if name.partition(".")[2] == f"{queue}.msg":
                hidden = _hidden(folder / name)
                try:
                    (folder / name).rename(hidden)
                except FileNotFoundError:  # another worker was faster
                    continue
                payload = hidden.read_text()
                hidden.unlink()
                return loads(payload)
        raise Empty

    def get_table(self, exchange: str) -> Any:
        with self._alone():
            return super().get_table(exchange)

    def _queue_bind(self, *args: Any) -> None:
        with self._alone():
            super()._queue_bind(*args)

    def _delete(self, *args: Any, **kwargs: Any) -> None:
        with self._alone():
            super()._delete(*args, **kwargs)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time reads or writes the tables of bindings."""
        with Path(self.control_folder, "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def _hidden(message: Path) -> Path:
    """The name of a message that is being written or read: no queue's."""
    return message.with_name(f".{message.name}")
