"""The fields that ``filter`` and ``sort`` may name, and their database expressions."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, F, FloatField, TextField, Value
from django.db.models.functions import Cast, Coalesce, Lower, Now

from gef_project.common.datetimes import DATE_OR_TIME, parse_datetime

from .script_serializers import BUILT


@dataclass(frozen=True)
class FilterField:
    """A field of a filter or a sort.

    Attributes:
        expression: what is compared and sorted by.
        parse: from the text in the filter to the value; raises ValueError.
        expected: what ``parse`` accepts, in words.
        text: the expression for ``like``; None if the field has no ``like``.
        parse_end: where a text may stand for a range, as a date does: from the text to the last value.
        ordered: whether the field has ``<`` and ``>``.
    """

    expression: Any
    parse: Callable[[str], Any]
    expected: str
    text: Any = None
    parse_end: Callable[[str], Any] | None = None
    ordered: bool = True
    for_staff: bool = False


def _identity(path: str, *, for_staff: bool = False) -> FilterField:
    text = Cast(path, TextField())
    return FilterField(F(path), UUID, "a UUID", text, ordered=False, for_staff=for_staff)


def _text(path: Any, *, for_staff: bool = False) -> FilterField:
    lower = Lower(path)
    return FilterField(lower, lambda text: Lower(Value(text)), "a text", lower, for_staff=for_staff)


def _time(path: str) -> FilterField:
    return FilterField(
        F(path), parse_datetime, DATE_OR_TIME, parse_end=partial(parse_datetime, end_of_day=True)
    )


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text):
        raise ValueError(text)
    return float(text)


_duration = ExpressionWrapper(Coalesce("end_date", Now()) - F("start_date"), DurationField())

FilterFields = Mapping[str, FilterField]

EXECUTION_FIELDS: FilterFields = {
    "id": _identity("id"),
    "script_id": _identity("script_id"),
    "user_id": _identity("user_id", for_staff=True),
    "status": _text("status"),
    "script_name": _text("script__name"),
    "user_name": _text("user__name", for_staff=True),
    "user_email": _text("user__email", for_staff=True),
    "progress": FilterField(Cast("progress", FloatField()), _number, "a number"),
    "duration": FilterField(_duration, lambda text: timedelta(seconds=_number(text)), "a number of seconds"),
    "start_date": _time("start_date"),
    "end_date": _time("end_date"),
}
SCRIPT_FIELDS: FilterFields = {
    "id": _identity("id"),
    "name": _text("name"),
    "slug": _text("slug"),
    "description": _text("description"),
    "status": _text(Value(BUILT)),
    "public": FilterField(F("published"), _flag, "'true' or 'false'", ordered=False),
    "user_id": _identity("user_id"),
    "user_name": _text("user__name", for_staff=True),
    "created_at": _time("created_at"),
    "updated_at": _time("updated_at"),
}
