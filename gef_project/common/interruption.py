"""Stopping by a signal."""

import signal


def stop_on_signals() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt in this process, whose main thread this is.

    A process that a script starts by ``&`` has SIGINT ignored from birth, and Python leaves that as it is.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
