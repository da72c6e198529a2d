"""Waiting for processes that are not all our own children."""

import time
from collections.abc import Iterable

import psutil


def still_running(processes: Iterable[psutil.Process], patience: float) -> list[psutil.Process]:
    """Wait for the processes to end, at most ``patience`` seconds.

    Returns:
        Those that have not. A zombie has: where no init process reaps orphans, it stays one.
    """
    deadline = time.monotonic() + patience
    while (alive := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
