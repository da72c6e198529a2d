"""From an empty directory to a running service, and back."""

import os
import signal
import sys
import time
from contextlib import suppress

from django.conf import settings
from django.db import Error, connection

from status.models import StatusLog
from status.tail import Line, Tail

from . import CannotRun
from .demo import Demo
from .preparation import (
    check_broker,
    check_database,
    check_port,
    first_line,
    get_or_create_admin,
    join_embedded_servers,
    lock_var_dir,
    migrate,
    register_examples,
)
from .processes import Group, wait_until_up

TICK = 0.1  # seconds between two looks at the ledger and the processes
DATABASE_PATIENCE = 60.0  # seconds that the database may be away

SERVICES = {
    "web": [
        *("gunicorn", f"--config={settings.BASE_DIR / 'deploy' / 'gunicorn.conf.py'}"),
    ],
    "worker": [
        *("celery", "--app=gef_project", "worker", "--hostname=worker@%h", "--concurrency=2"),
        *("--loglevel=INFO", "--without-gossip", "--without-mingle"),
    ],
    # No pid file: one of a killed beat would be in the way of the next.
    "beat": ["celery", "--app=gef_project", "beat", "--loglevel=INFO", "--pidfile="],
}
# SIGQUIT has a worker leave its runs, which go on, to the next one; at SIGTERM it would wait for them.
STOP_SIGNALS = {"web": signal.SIGTERM, "worker": signal.SIGQUIT, "beat": signal.SIGTERM}


def run() -> None:
    """Start everything, print the ledger as it grows, and stop everything at Ctrl-C or SIGTERM.

    Raises:
        CannotRun: something is in the way, or one of the processes has ended.
        KeyboardInterrupt: it was stopped.
    """
    with lock_var_dir():
        join_embedded_servers()
        group = Group(settings.VAR_DIR)
        if left := group.stop_leftovers():
            _say(f"Stopped {left} processes that a killed run had left behind.")
        _name_former_broker()
        check_port(settings.PORT)
        check_database()
        check_broker()
        migrate()
        admin = get_or_create_admin(_say)
        register_examples()
        feed = Tail(StatusLog.objects.newest().pk)
        try:
            for name, module_and_arguments in SERVICES.items():
                group.start(name, [sys.executable, "-m", *module_and_arguments], STOP_SIGNALS[name])
            wait_until_up(group)
            _introduce()
            _follow(group, feed, Demo(admin))
        finally:
            # From here on, another Ctrl-C changes nothing: it is being done.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            with suppress(BrokenPipeError):
                _say("\nStopping.")
            group.stop()
            with suppress(Error, BrokenPipeError):
                _print(feed)


def _name_former_broker() -> None:
    folder = settings.VAR_DIR / "broker"
    if folder.exists():
        _say(f"{os.path.relpath(folder)} is of an earlier version's broker and not read any more; remove it.")


def _introduce() -> None:
    url = f"http://127.0.0.1:{settings.PORT}"
    _say(
        f"Admin     {url}/admin/\n"
        f"API       {url}/api/v1/\n"
        f"API docs  {url}/api/docs\n"
        f"Logs      {os.path.relpath(settings.VAR_DIR / 'log')}/\n"
        "\n"
        "Every change of a status, as it is logged (times in UTC); Ctrl-C stops everything:\n"
    )


def _follow(group: Group, feed: Tail, demo: Demo) -> None:
    demo.submit()
    seen = time.monotonic()
    while True:
        group.raise_if_one_ended()
        try:
            for row in _print(feed):
                demo.schedule_cancellation(row)
            demo.cancel_due()
            seen = time.monotonic()
        except Error as error:
            # The next connection starts the embedded server anew; another one may come back.
            connection.close()
            if time.monotonic() - seen > DATABASE_PATIENCE:
                raise CannotRun(f"The database is gone: {first_line(error)}") from error
        time.sleep(TICK)


def _print(feed: Tail) -> list[StatusLog]:
    rows = feed.read()
    for row in rows:
        _say(str(Line(row, coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))))
    return rows


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
