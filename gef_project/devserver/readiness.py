"""Whether the processes do their work yet, asked the way their users ask them."""

import time
import urllib.request
from collections.abc import Callable
from urllib.error import HTTPError

from celery import current_app
from django.conf import settings

from . import CannotRun
from .processes import Group

PATIENCE = 60.0  # seconds


def wait_until_up(group: Group) -> None:
    """
    Raises:
        CannotRun: one of the processes has ended, or is not up in time.
    """
    deadline = time.monotonic() + PATIENCE
    signs: dict[str, Callable[[], bool]] = {
        "web": web_answers,
        "worker": worker_answers,
        "beat": lambda: "beat: Starting" in group.log("beat").read_text(errors="replace"),
    }
    for name, is_up in signs.items():
        while not is_up():
            group.raise_if_one_ended()
            if time.monotonic() > deadline:
                raise CannotRun(f"{group.last_lines(name)}\n{name} is not up after {PATIENCE:.0f} s.")
            time.sleep(0.1)


def web_answers() -> bool:
    """Any answer will do but one that owns up to a fault: the host name may be one that it refuses."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/api-health", timeout=5):
            return True
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def worker_answers() -> bool:
    return bool(current_app.control.ping(timeout=0.5, limit=1))
