"""The process of a run: a group of its own, which ends as a whole."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from . import credentials
from .models import Execution

PATIENCE = 3.0  # seconds between asking a group to stop and killing it


def directory_of(execution_id: object) -> Path:
    return Path(settings.EXECUTIONS_DIR) / str(execution_id)


def params_file_of(execution_id: object) -> Path:
    return directory_of(execution_id) / "params.json"


def environment(execution: Execution) -> Mapping[str, str]:
    """What the process needs to know, and nothing else: above all none of the service's own secrets."""
    directory = str(directory_of(execution.pk))
    return {
        # "python" is the one that runs the service.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": directory,
        "TMPDIR": directory,
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",  # its output is read while it runs
        "EXECUTION_ID": str(execution.pk),
        "API_URL": settings.API_URL,
        "API_USER": credentials.user_name(execution.pk),
        "API_PASSWORD": credentials.password(execution.pk),
        "PARAMS_FILE": str(params_file_of(execution.pk)),
    }


class Process:
    """A started command, as the leader of its group.

    The leader is not reaped before the last signal to the group, so that its id cannot have been given
    to another process.
    """

    def __init__(self, execution: Execution) -> None:
        """Start it.

        Raises:
            OSError: the command cannot be started.
        """
        directory_of(execution.pk).mkdir(parents=True, exist_ok=True)
        params_file_of(execution.pk).write_text(json.dumps(execution.params))
        self._kill_at: float | None = None
        self._popen = subprocess.Popen(  # noqa: S603 - staff write the commands, and no shell reads them
            execution.script.command,
            cwd=directory_of(execution.pk),
            env=environment(execution),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self.stdout, self.stderr = self._popen.stdout, self._popen.stderr

    def has_exited(self) -> bool:
        """Whether the leader has; a group that was told to stop and did not is killed here."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def stop(self) -> None:
        """Ask the group to stop; asking twice gives it no more time."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + PATIENCE
            self._signal(signal.SIGTERM)

    def end(self) -> int:
        """Kill what is left of the group.

        Returns:
            The leader's exit status; the negative number of the signal that killed it.
        """
        self._signal(signal.SIGKILL)
        return self._popen.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: of a group of zombies
            os.killpg(self.pid, number)


def describe_exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
