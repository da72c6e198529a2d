"""A JSON field that gives back what was stored."""

from typing import Any

from django.db import models
from psycopg.types.json import Json


class VerbatimJSONField(models.JSONField):
    """JSON in a column of PostgreSQL's type ``json``: every document reads back equal to what was sent.

    ``jsonb``, Django's choice, refuses ``\\u0000``, forgets the order of keys, and is slower to write for
    results of some megabytes, which nobody queries by content.
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
