"""Apply the query parameters ``filter`` and ``sort`` to a queryset."""

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


def apply_filter(rows: RowsT, text: str, fields: FilterFields, *, for_staff: bool) -> RowsT:
    """The rows that match the filter. A comparison with a date that is NULL never matches.

    Raises:
        FilterSyntaxError: the filter is not valid.
        PermissionDenied: it names a field that only staff may use.
    """
    for group in read_filter(text):
        alternatives = [Q(*[_condition(one, fields, for_staff) for one in together]) for together in group]
        rows = rows.filter(reduce(or_, alternatives))
    return rows


def apply_sort(rows: RowsT, text: str, fields: FilterFields, *, for_staff: bool) -> RowsT:
    """The rows in the order of the sort, and then of their ids; an empty sort leaves them as they are.

    The id has the direction of the last key, so that one index can serve both. NULL is the latest date, as
    in PostgreSQL.

    Raises:
        FilterSyntaxError, PermissionDenied: as :func:`apply_filter`.
    """
    keys = read_sort(text)
    if not keys:
        return rows
    order = [(_field("sort", key.name, fields, for_staff).expression, key.descending) for key in keys]
    order.append((F("id"), keys[-1].descending))
    return rows.order_by(*(one.desc() if descending else one.asc() for one, descending in order))


def _condition(comparison: Comparison, fields: FilterFields, for_staff: bool) -> Q:
    field = _field("filter", comparison.name, fields, for_staff)
    operator, token = comparison.operator.lower(), comparison.value
    text = token[1:-1].replace("''", "'") if token.type == "TEXT" else str(token)
    if operator == "like":
        if field.text is None:
            raise _error("filter", comparison.operator, f"{comparison.name} has no like")
        return Q(_like(field.text, text))
    first, last = _values(field, token, text)
    if operator in _ORDERINGS:
        if not field.ordered:
            raise _error("filter", comparison.operator, f"{comparison.name} has only =, != and like")
        return Q(_ORDERINGS[operator](field.expression, last if operator in ("<=", ">") else first))
    equal = Q(Exact(field.expression, first))
    if first != last:
        equal = Q(GreaterThanOrEqual(field.expression, first), LessThanOrEqual(field.expression, last))
    return ~equal if operator == "!=" else equal


def _field(parameter: str, name: Token, fields: FilterFields, for_staff: bool) -> FilterField:
    if name not in fields:
        known = ", ".join(known for known, field in fields.items() if for_staff or not field.for_staff)
        raise _error(parameter, name, f"{name} is not a field; there are {known}")
    field = fields[name]
    if field.for_staff and not for_staff:
        raise PermissionDenied(f"{parameter}: {name} is for staff.")
    return field


def _values(field: FilterField, token: Token, text: str) -> tuple[Any, Any]:
    """The first and the last value that the text stands for."""
    try:
        first = field.parse(text)
        return first, field.parse_end(text) if field.parse_end else first
    except ValueError:
        raise _error("filter", token, f"expected {field.expected}, not {token[:40]}") from None


def _like(expression: Any, pattern: str) -> Func:
    """``%`` matches any text, ``_`` any character; after a backslash each matches itself."""
    # Any other backslash matches itself, too, so PostgreSQL needs it doubled.
    pattern = re.sub(r"\\([%_])|\\", lambda found: found[0] if found[1] else r"\\", pattern)
    template = "(%(expressions)s)"
    pattern_too = Lower(Value(pattern))
    return Func(expression, pattern_too, arg_joiner=" LIKE ", template=template, output_field=BooleanField())


def _error(parameter: str, token: Token, problem: str) -> FilterSyntaxError:
    return FilterSyntaxError(parameter, token.start_pos or 0, problem)
