"""What is checked and made before anything is started; each step says in one line why it cannot be."""

import fcntl
import io
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import Error, connection
from kombu.exceptions import OperationalError

from gef_project.accounts.models import User
from gef_project.operations.checks import check_servers

from . import CannotRun, valkey
from .postgresql import server as postgresql

ADMIN_EMAIL = "admin@example.org"


@contextmanager
def lock_var_dir() -> Iterator[None]:
    """Only one at a time uses the data; the kernel releases the lock however this process ends."""
    path = settings.VAR_DIR / "run.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotRun(
                f"make run is active already, as process {lock.read()}, on {path.parent}."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def join_embedded_servers() -> None:
    """Have them stopped at the end, even if this process never connects to them.

    Those of a killed run may have no other user left.
    """
    if connection.settings_dict["ENGINE"] == "gef_project.devserver.postgresql":
        postgresql.server.join()
    if settings.CELERY_BROKER_URL.startswith("valkey://"):
        valkey.Server.for_this_process(settings.VAR_DIR).join()


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotRun(f"Port {port} cannot be used: {error.strerror}. Set PORT to another.") from error


def check_database() -> None:
    try:
        connection.ensure_connection()
        problems = check_servers(["default"])
    except Error as error:
        raise CannotRun(f"The database cannot be reached: {first_line(error)}") from error
    for problem in problems:
        if problem.is_serious():
            raise CannotRun(f"{problem.msg} {problem.hint}")


def check_broker() -> None:
    with current_app.connection_for_write(connect_timeout=5) as broker:
        try:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=5)
        except OperationalError as error:
            raise CannotRun(f"The broker {broker.as_uri()} cannot be reached: {first_line(error)}") from error


def migrate() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except Error as error:
        raise CannotRun(f"The database cannot be migrated: {first_line(error)}") from error


def get_or_create_admin(say: Callable[[str], None]) -> User:
    """The first administrator; made, and its password told, if there is none yet."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("date_joined").first()
    if admin is None:
        password = secrets.token_urlsafe(12)
        admin = User.objects.create_superuser(ADMIN_EMAIL, password, name="Demo admin")
        say(
            "A demo administrator has been made. Its password is shown only this once:\n"
            f"  email     {admin.email}\n"
            f"  password  {password}\n"
        )
    return admin


def register_examples() -> None:
    call_command("register_examples", stdout=io.StringIO())


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
