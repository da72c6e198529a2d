"""Report to the service from a script: the few calls that every example needs.

A run finds its parameters in the file PARAMS_FILE, and in the environment EXECUTION_ID, API_URL, and a
credential (API_USER, API_PASSWORD) for this execution only. A script need not report anything: exit status 0
means FINISHED.
"""

import json
import os
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

# A server that is away, say because it is started anew, is asked again for a quarter of an hour.
ATTEMPTS, LONGEST_PAUSE = 35, 30.0


def params() -> dict[str, Any]:
    with Path(os.environ["PARAMS_FILE"]).open() as file:
        return dict(json.load(file))


def report(**fields: Any) -> None:
    """Send any of ``status``, ``progress`` (0 to 100) and ``results`` (anything that is JSON)."""
    _call("PATCH", _execution(), fields, _token())


def log(text: str, level: str = "INFO") -> None:
    """Add a line to the execution's log. What a script prints is added, too, with the level INFO."""
    _call("POST", f"{_execution()}/log", {"text": text, "level": level}, _token())


class Progress:
    """Reports the percentage that is done when it has changed, at most once in ``every`` seconds."""

    def __init__(self, total: int, every: float = 0.5) -> None:
        self._total = total
        self._every = every  # seconds
        self._percent = 0
        self._reported_at = time.monotonic()

    def done(self, count: int) -> None:
        percent = 100 * count // self._total
        if percent > self._percent and time.monotonic() - self._reported_at >= self._every:
            self._percent = percent
            self._reported_at = time.monotonic()
            report(progress=percent)


def _execution() -> str:
    return f"/api/v1/execution/{os.environ['EXECUTION_ID']}"


@cache
def _token() -> str:
    login = {"email": os.environ["API_USER"], "password": os.environ["API_PASSWORD"]}
    return str(_call("POST", "/auth", login)["access_token"])


def _call(method: str, path: str, body: dict[str, Any], token: str = "") -> Any:
    """Send JSON, and return the JSON of the response.

    While the server is busy or away, it tries again after 1, 2, 4 seconds and so on.

    Raises:
        urllib.error.URLError: the server did not respond, or refused the request.
    """
    request = urllib.request.Request(  # noqa: S310 - the service's own address
        os.environ["API_URL"] + path, json.dumps(body).encode(), method=method
    )
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.URLError as error:
            if attempt + 1 == ATTEMPTS or not _is_temporary(error):
                raise
        time.sleep(min(2**attempt, LONGEST_PAUSE))
    raise AssertionError


def _is_temporary(error: urllib.error.URLError) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        print(f"{error.url} answered {error.code}: {error.read().decode(errors='replace')[:500]}", flush=True)
        return error.code == 429 or error.code >= 500
    return True
