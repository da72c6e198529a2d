"""Celery's broker in a folder, with messages that appear whole or not at all.

The one that comes with it (kombu) lets a reader find a message that is still being written: the message is
lost then, and the reader fails.
"""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        # The readers take the files of their queue in the order of the names; a draft has no queue.
        name = f"{time.time_ns()}_{uuid4()}.{queue}.msg"
        draft = Path(self.data_folder_out) / f"draft.{name}"
        draft.write_text(dumps(payload))
        draft.rename(draft.with_name(name))


class Transport(filesystem.Transport):
    Channel = Channel
