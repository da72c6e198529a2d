"""Rows of the ledger in the form that clients get, straight from the database.

A page has up to ten thousand of them. So the database writes what is not a text or a number, and no object
is made of any row; a test pins this form to ``StatusLogSerializer``, which describes it.
"""

import json
from typing import Any

from django.db.models import F, Func, TextField
from django.db.models.functions import Cast

from .models import StatusLogQuerySet
from .serializers import StatusLogSerializer


class TimestampText(Func):
    """As the API writes moments."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


# What clients call it, and what the database makes of it.
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
