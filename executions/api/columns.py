"""What ``filter`` and ``sort`` may name, and what it is in the database."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    DurationField,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    Q,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Lower, Now
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual
from lark import Token
from rest_framework.exceptions import PermissionDenied

from executions.models import ExecutionQuerySet
from gef_project.api.moments import A_MOMENT, read_moment

from .language import Comparison, Unreadable, read_filter, read_sort


@dataclass(frozen=True)
class Column:
    """A field of executions as clients name it.

    Attributes:
        expression: what is compared, and sorted by.
        read: makes of a text what ``expression`` is compared with; a ValueError if it cannot.
        read_last: as ``read``, if a text can stand for all from one value to another, as a day does.
        wanted: what ``read`` can read, in words.
        text: in what ``like`` looks; None if it does not.
        ordered: whether one value can be less than another.
    """

    expression: Any
    read: Callable[[str], Any]
    wanted: str
    text: Any = None
    read_last: Callable[[str], Any] | None = None
    ordered: bool = True
    for_staff: bool = False


def _identity(path: str, *, for_staff: bool = False) -> Column:
    text = Cast(path, TextField())
    return Column(F(path), UUID, "a UUID", text, ordered=False, for_staff=for_staff)


def _text(path: str, *, for_staff: bool = False) -> Column:
    lower = Lower(path)
    return Column(lower, lambda text: Lower(Value(text)), "a text", lower, for_staff=for_staff)


def _moment(path: str) -> Column:
    return Column(F(path), read_moment, A_MOMENT, read_last=partial(read_moment, ends=True))


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text):
        raise ValueError(text)
    return float(text)


_until_now = ExpressionWrapper(Coalesce("end_date", Now()) - F("start_date"), DurationField())

COLUMNS = {
    "id": _identity("id"),
    "script_id": _identity("script_id"),
    "user_id": _identity("user_id", for_staff=True),
    "status": _text("status"),
    "script_name": _text("script__name"),
    "user_name": _text("user__name", for_staff=True),
    "user_email": _text("user__email", for_staff=True),
    "progress": Column(Cast("progress", FloatField()), _number, "a number"),
    "duration": Column(_until_now, lambda text: timedelta(seconds=_number(text)), "a number of seconds"),
    "start_date": _moment("start_date"),
    "end_date": _moment("end_date"),
}

_ORDERINGS: dict[str, Any] = {
    ">": GreaterThan,
    ">=": GreaterThanOrEqual,
    "<": LessThan,
    "<=": LessThanOrEqual,
}


def narrow(executions: ExecutionQuerySet, text: str, *, for_staff: bool) -> ExecutionQuerySet:
    """Those for which the filter holds. No comparison holds for a date that there is not.

    Raises:
        Unreadable: it is no filter.
        PermissionDenied: it names what only staff may see.
    """
    for group in read_filter(text):
        alternatives = [Q(*[_condition(one, for_staff) for one in together]) for together in group]
        executions = executions.filter(reduce(or_, alternatives))
    return executions


def arrange(executions: ExecutionQuerySet, text: str, *, for_staff: bool) -> ExecutionQuerySet:
    """The executions in the order of the sort, which is total: the id comes last.

    It goes where the key before it goes, so that an index serves both. What has no end is later than
    any end, as PostgreSQL has it.

    Raises:
        Unreadable, PermissionDenied: as :func:`narrow`.
    """
    keys = read_sort(text)
    if not keys:
        return executions.open_first()
    order = [(_column("sort", key.name, for_staff).expression, key.descending) for key in keys]
    order.append((F("id"), keys[-1].descending))
    return executions.order_by(*(one.desc() if descending else one.asc() for one, descending in order))


def _condition(comparison: Comparison, for_staff: bool) -> Q:
    column = _column("filter", comparison.name, for_staff)
    operator, token = comparison.operator.lower(), comparison.value
    text = token[1:-1].replace("''", "'") if token.type == "TEXT" else str(token)
    if operator == "like":
        if column.text is None:
            raise _unreadable("filter", comparison.operator, f"{comparison.name} knows no like")
        return Q(_like(column.text, text))
    first, last = _values(column, token, text)
    if operator in _ORDERINGS:
        if not column.ordered:
            raise _unreadable("filter", comparison.operator, f"{comparison.name} knows only =, != and like")
        return Q(_ORDERINGS[operator](column.expression, last if operator in ("<=", ">") else first))
    equal = Q(Exact(column.expression, first))
    if first != last:
        equal = Q(GreaterThanOrEqual(column.expression, first), LessThanOrEqual(column.expression, last))
    return ~equal if operator == "!=" else equal


def _column(parameter: str, name: Token, for_staff: bool) -> Column:
    if name not in COLUMNS:
        known = ", ".join(known for known, column in COLUMNS.items() if for_staff or not column.for_staff)
        raise _unreadable(parameter, name, f"{name} is no field; there are {known}")
    column = COLUMNS[name]
    if column.for_staff and not for_staff:
        raise PermissionDenied(f"{parameter}: {name} is for staff.")
    return column


def _values(column: Column, token: Token, text: str) -> tuple[Any, Any]:
    """The first and the last that the text stands for."""
    try:
        first = column.read(text)
        return first, column.read_last(text) if column.read_last else first
    except ValueError:
        raise _unreadable("filter", token, f"expected {column.wanted}, not {token[:40]}") from None


def _like(expression: Any, pattern: str) -> Func:
    """``%`` stands for any text, ``_`` for any character, and either after a backslash for itself."""
    # Any other backslash is itself too, which PostgreSQL wants doubled.
    pattern = re.sub(r"\\([%_])|\\", lambda found: found[0] if found[1] else r"\\", pattern)
    template = "(%(expressions)s)"
    pattern_too = Lower(Value(pattern))
    return Func(expression, pattern_too, arg_joiner=" LIKE ", template=template, output_field=BooleanField())


def _unreadable(parameter: str, token: Token, problem: str) -> Unreadable:
    return Unreadable(parameter, token.start_pos or 0, problem)
