"""Model fields: JSON stored unchanged, and times that the database sets."""

from datetime import datetime
from typing import Any, cast

from django.db import connection, models
from psycopg.types.json import Json


class VerbatimJSONField(models.JSONField):
    """JSON in a column of PostgreSQL's type ``json``, so that every document reads back as it was sent.

    Django's choice ``jsonb`` refuses ``\\u0000``, loses the order of keys, and is slower to write for results
    of some megabytes. Nobody queries their content.
    """

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        return Json(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value  # psycopg has read it; Django's own would read a string a second time


class DatabaseTimeField(models.DateTimeField):
    """A time that the database sets; an INSERT reads it back, as Django 6.0 does by itself."""

    db_returning = True


def database_time() -> datetime:
    """The present time by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        [now] = cursor.fetchone()
    return cast(datetime, now)


def is_same_json(one: Any, other: Any) -> bool:
    """Whether two decoded documents are equal as JSON: ``true`` is not ``1``, and ``1`` is ``1.0``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
