"""Rows narrowed by the parameter ``filter``, and in the order of the parameter ``sort``."""

import re
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual
from lark import Token
from rest_framework.exceptions import PermissionDenied

from .filter_fields import FilterField, FilterFields
from .filter_grammar import Comparison, FilterSyntaxError, read_filter, read_sort

RowsT = TypeVar("RowsT", bound=QuerySet[Any])

_ORDERINGS: dict[str, Any] = {
    ">": GreaterThan,
    ">=": GreaterThanOrEqual,
    "<": LessThan,
    "<=": LessThanOrEqual,
}


def apply_filter(rows: RowsT, text: str, columns: FilterFields, *, for_staff: bool) -> RowsT:
    """Those for which the filter holds. No comparison holds for a date that there is not.

    Raises:
        FilterSyntaxError: it is no filter.
        PermissionDenied: it names what only staff may see.
    """
    for group in read_filter(text):
        alternatives = [Q(*[_condition(one, columns, for_staff) for one in together]) for together in group]
        rows = rows.filter(reduce(or_, alternatives))
    return rows


def apply_sort(rows: RowsT, text: str, columns: FilterFields, *, for_staff: bool) -> RowsT:
    """In the order of the sort, which is total: the id comes last. Without one they stay as they are.

    It goes where the key before it goes, so that an index serves both. What has no end is later than
    any end, as PostgreSQL has it.

    Raises:
        FilterSyntaxError, PermissionDenied: as :func:`apply_filter`.
    """
    keys = read_sort(text)
    if not keys:
        return rows
    order = [(_column("sort", key.name, columns, for_staff).expression, key.descending) for key in keys]
    order.append((F("id"), keys[-1].descending))
    return rows.order_by(*(one.desc() if descending else one.asc() for one, descending in order))


def _condition(comparison: Comparison, columns: FilterFields, for_staff: bool) -> Q:
    column = _column("filter", comparison.name, columns, for_staff)
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


def _column(parameter: str, name: Token, columns: FilterFields, for_staff: bool) -> FilterField:
    if name not in columns:
        known = ", ".join(known for known, column in columns.items() if for_staff or not column.for_staff)
        raise _unreadable(parameter, name, f"{name} is no field; there are {known}")
    column = columns[name]
    if column.for_staff and not for_staff:
        raise PermissionDenied(f"{parameter}: {name} is for staff.")
    return column


def _values(column: FilterField, token: Token, text: str) -> tuple[Any, Any]:
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


def _unreadable(parameter: str, token: Token, problem: str) -> FilterSyntaxError:
    return FilterSyntaxError(parameter, token.start_pos or 0, problem)
