"""The web server as it is deployed, on the test's database."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings

from executions.tests.processes import environment_of_test, eventually, own_directory

DEPLOYED = ["--config", "deploy/gunicorn.conf.py", "--workers", "1"]
EVENT_LOOP = ["django.core.asgi:get_asgi_application()", "--worker-class", "asgi"]


class Server(NamedTuple):
    url: str
    pid: int


@contextmanager
def web_server(arguments: Sequence[str] = DEPLOYED, port: int = 0) -> Iterator[Server]:
    """A gunicorn that answers; 0: on any free port."""
    log_path = own_directory() / "web.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--bind",
                f"127.0.0.1:{port}",
                "--no-control-socket",
                *arguments,
            ],
            cwd=settings.BASE_DIR,
            env={**environment_of_test(), "DJANGO_SETTINGS_MODULE": "gef_project.settings"},
            stdout=log,
            stderr=log,
        )
    try:
        listening = eventually(
            lambda: re.search(r"Listening at: (http://\S+)", log_path.read_text()) or process.poll()
        )
        assert isinstance(listening, re.Match), log_path.read_text()
        yield Server(listening[1], process.pid)
    except BaseException:
        sys.stdout.write(log_path.read_text())
        raise
    finally:
        process.terminate()
        process.wait(30)
