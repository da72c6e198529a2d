"""A Trends.Earth API's database, in a database of its own beside that of the tests."""

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import UUID

import psycopg
from django.core.management import call_command
from django.db import connection

FOLDER = Path(__file__).parent
PASSWORD = "secret"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def werkzeug_hash(method: str) -> str:
    """As Werkzeug makes it: ``pbkdf2:sha256:1000`` or ``scrypt:32768:8:1``."""
    kind, *numbers = method.split(":")
    salt = "Salt56789abcdefg"
    if kind == "scrypt":
        n, r, p = map(int, numbers)
        digest = hashlib.scrypt(PASSWORD.encode(), salt=salt.encode(), n=n, r=r, p=p, maxmem=132 * n * r * p)
    else:
        digest = hashlib.pbkdf2_hmac(numbers[0], PASSWORD.encode(), salt.encode(), int(numbers[1]))
    return f"{method}${salt}${digest.hex()}"


HASHES = {
    "Ada@Example.org": werkzeug_hash("pbkdf2:sha256:1000"),
    "sha1@example.org": werkzeug_hash("pbkdf2:sha1:1000"),
    "scrypt@example.org": werkzeug_hash("scrypt:32768:8:1"),
    "here@example.org": werkzeug_hash("pbkdf2:sha256:1000"),
}


def url_of(database: str) -> str:
    given = connection.get_connection_params()
    parts = {name: given.get(name) for name in ("host", "port", "user", "password")}
    return psycopg.conninfo.make_conninfo(
        **{name: value for name, value in parts.items() if value}, dbname=database
    )


@contextmanager
def gefapi_database() -> Iterator[str]:
    """The connection string of a new database with what the files of this folder make."""
    name = f"gefapi_{connection.settings_dict['NAME']}"
    with psycopg.connect(url_of("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            with psycopg.connect(url_of(name)) as database:
                for file in ("schema.sql", "rows.sql"):
                    database.execute((FOLDER / file).read_text(encoding="utf-8"))
                for email, password in HASHES.items():
                    database.execute('UPDATE "user" SET password = %s WHERE email = %s', [password, email])
            yield url_of(name)
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def id_of(key: str) -> UUID:
    return UUID(f"00000000-0000-0000-0000-0000000000{key}")


def import_from(source: str, report_file: Path, *options: str) -> str:
    """What the command says."""
    output = StringIO()
    call_command("import_gefapi", "--from", source, "--report", str(report_file), *options, stdout=output)
    return output.getvalue()


def findings(report_file: Path) -> list[dict[str, str]]:
    with report_file.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
