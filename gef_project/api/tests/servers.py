"""The web server as it is deployed, on the test's database."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from executions.tests.processes import environment_of_test, eventually, own_directory


@contextmanager
def web_server(**environment: str) -> Iterator[str]:
    """A gunicorn that answers; its URL."""
    log_path = own_directory() / "web.log"
    command = [sys.executable, "-m", "gunicorn", "gef_project.wsgi", "--bind", "127.0.0.1:0"]
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [*command, "--threads", "4"],
            cwd=settings.BASE_DIR,
            env={**environment_of_test(), **environment},
            stdout=log,
            stderr=log,
        )
    try:
        listening = eventually(
            lambda: re.search(r"Listening at: (http://\S+)", log_path.read_text()) or process.poll()
        )
        assert isinstance(listening, re.Match), log_path.read_text()
        yield listening[1]
    except BaseException:
        sys.stdout.write(log_path.read_text())
        raise
    finally:
        process.terminate()
        process.wait(30)
