"""The processes of a run: where they work, what they are given, and how they are found again."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil
from django.conf import settings

from . import credentials
from .models import Execution
from .supervisor import processes

KILL_PATIENCE = 10.0  # seconds for what a killed supervisor has left


def directory_of(execution_id: object) -> Path:
    return Path(settings.EXECUTIONS_DIR) / str(execution_id)


def params_file_of(execution_id: object) -> Path:
    return directory_of(execution_id) / "work" / "params.json"


def environment(execution: Execution) -> Mapping[str, str]:
    """What the process needs to know, and nothing else: above all none of the service's own secrets."""
    work = str(directory_of(execution.pk) / "work")
    return {
        # "python" is the one that runs the service.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": work,
        "TMPDIR": work,
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",  # its output is read while it runs
        "EXECUTION_ID": str(execution.pk),
        "API_URL": settings.API_URL,
        "API_USER": credentials.user_name(execution.pk),
        "API_PASSWORD": credentials.password(execution.pk),
        "PARAMS_FILE": str(params_file_of(execution.pk)),
    }


def execution_of(process: psutil.Process) -> UUID | None:
    """The execution of this service that the process belongs to, as its environment says."""
    try:
        environment = process.environ()
        execution_id = UUID(environment["EXECUTION_ID"])
    except (psutil.Error, OSError, KeyError, ValueError):
        return None
    return execution_id if environment.get("PARAMS_FILE") == str(params_file_of(execution_id)) else None


def describe_exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def kill_remains(execution_id: UUID) -> None:
    """Kill the processes of a run that has no supervisor any more."""
    deadline = time.monotonic() + KILL_PATIENCE
    while (pids := _remains(execution_id)) and time.monotonic() < deadline:
        processes.send(signal.SIGSTOP, pids)
        processes.kill_tree(*pids)
        processes.send(signal.SIGKILL, pids)
        time.sleep(0.05)


def _remains(execution_id: UUID) -> set[int]:
    """Those that have the run's environment, or are in a session that its supervisor has noted."""
    noted = []
    with suppress(FileNotFoundError):
        noted = (directory_of(execution_id) / "processes").read_text().splitlines()
    sessions = set()  # none of them is anybody else's: the script was the leader of its own
    for pid, start_time in map(str.split, noted):
        with suppress(OSError):
            if processes.start_time(int(pid)) == start_time:
                sessions.add(os.getsid(int(pid)))
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and (
                os.getsid(process.pid) in sessions or execution_of(process) == execution_id
            ):
                found.add(process.pid)
    return found
