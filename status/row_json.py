"""Fast serialization of rows of the status log, for pages of up to ten thousand of them.

The database formats every value that is not a text or a number, and no model instances are made. A test
compares the result with that of ``StatusLogSerializer``, which the API's schema shows.
"""

import json
from typing import Any

from django.db.models import F, Func, TextField
from django.db.models.functions import Cast

from .models import StatusLogQuerySet
from .serializers import StatusLogSerializer


class TimestampText(Func):
    """A time as the API writes it."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


# The key that clients get, and the expression for its value.
COLUMNS = {name: F(name) for name in StatusLogSerializer.Meta.fields} | {
    "timestamp": TimestampText("timestamp"),
    "execution_id": Cast("execution_id", TextField()),
    "actor": Cast("actor_id", TextField()),
}

_encoder = json.JSONEncoder(separators=(",", ":"))


def serialize_rows(logs: StatusLogQuerySet) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in logs.values_list(*COLUMNS.values())]


def encode_row(row: dict[str, Any]) -> bytes:
    return _encoder.encode(row).encode()
