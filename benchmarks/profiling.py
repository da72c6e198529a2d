"""Which packages use the processor time of a request, by sampling the WSGI application."""

import io
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

EVERY = 0.001  # seconds of processor time between two samples; kernels may make it four times as long
NAMES = {"rest_framework_simplejwt": "JWT", "jwt": "JWT", "psycopg_binary": "psycopg"}
SHOWN = 0.02  # of the time; what has less is summed up


def shares_of_time(requests: Iterator[tuple[str, bytes]], token: str, seconds: float) -> tuple[str, str]:
    """Our own code's share of the processor time, and everybody's."""
    application = get_wsgi_application()

    samples: Counter[str] = Counter()
    for _ in range(50):  # everything is imported and compiled then
        _call(application, *next(requests), token)
    end = time.process_time() + seconds
    with _sampling(samples):
        while time.process_time() < end:
            _call(application, *next(requests), token)
    total = samples.total()
    shares = {package: number / total for package, number in samples.most_common()}
    listed = [f"{package} {share:.0%}" for package, share in shares.items() if share >= SHOWN]
    small = sum(share for share in shares.values() if share < SHOWN)
    return f"{shares.get('ours', 0):.0%}", ", ".join([*listed, f"others {small:.0%}"])


@contextmanager
def _sampling(samples: Counter[str]) -> Iterator[None]:
    """Count to which package's function the processor's time goes; built-in ones count for their caller."""

    def sample(number: int, frame: FrameType | None) -> None:
        if frame:
            samples[_package(frame.f_code.co_filename)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _package(file: str) -> str:
    path = Path(file)
    if "site-packages" in path.parts:
        package = path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
        return NAMES.get(package, package)
    return "ours" if settings.BASE_DIR in path.parents else "Python"


def _call(application: Any, path: str, body: bytes, token: str) -> None:
    answer = application(_environment(path, body, token), _start_response)
    b"".join(answer)
    answer.close()


def _environment(path: str, body: bytes, token: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "PATCH",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    if not status.startswith("200"):
        raise RuntimeError(status)
