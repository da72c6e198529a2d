from typing import Any, cast

from django import forms
from django_filters import rest_framework as filters
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from executions.models import Execution, ExecutionLog, ExecutionQuerySet
from executions.models.queryset import VIEW
from gef_project.accounts.authentication import Caller
from gef_project.common.filters import DateTimeFilter, WholeNumberFilter
from gef_project.common.schema import query_parameter
from status.states import Status

from .filter_fields import EXECUTION_FIELDS, SCRIPT_FIELDS, FilterFields
from .filter_query import apply_filter, apply_sort


class StatusField(forms.ChoiceField):
    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).upper()


class StatusFilter(filters.ChoiceFilter):
    field_class = StatusField


class ExecutionFilter(filters.FilterSet):
    status = StatusFilter(choices=Status.choices, help_text="In upper or lower case.")
    script_id = filters.UUIDFilter(help_text="Executions of this script.")
    user_id = filters.UUIDFilter(
        method="of_user", help_text="Executions of this user. Ignored unless staff asks."
    )
    updated_at = DateTimeFilter(
        "start_date", "gte", help_text="Executions created at this time or later; a date or a time."
    )

    class Meta:
        model = Execution
        fields: list[str] = []

    def of_user(self, executions: ExecutionQuerySet, name: str, user_id: Any) -> ExecutionQuerySet:
        return executions.filter(user=user_id) if self.request.user.may(*VIEW) else executions


class FilterAndSort(BaseFilterBackend):
    """The parameters ``filter`` and ``sort``, whose grammar is in ``filter_grammar.py``.

    A subclass has their fields, and examples and notes for the documentation.
    """

    fields: FilterFields
    examples: tuple[str, str]
    notes = ""

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        asked, for_staff = request.query_params, cast(Caller, request.user).may(*VIEW)
        narrowed = apply_filter(queryset, asked.get("filter", ""), self.fields, for_staff=for_staff)
        return apply_sort(narrowed, asked.get("sort", ""), self.fields, for_staff=for_staff)

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        staff = [name for name, field in self.fields.items() if field.for_staff]
        field_names = f"Fields are {', '.join(self.fields)}; {', '.join(staff)} only for staff.\n"
        texts = {"filter": FILTER + self.notes + field_names, "sort": SORT}
        return [
            query_parameter(name, texts[name]) | {"example": example}
            for name, example in zip(texts, self.examples, strict=True)
        ]


FILTER = r"""
Comparisons separated by commas, all of which must match. In brackets, OR separates alternatives: all
comparisons of at least one alternative must match.

- Operators are `= != > >= < <=` and `like`, in which `%` matches any text and `_` any character;
  `\%` and `\_` match themselves.
- Texts are in single quotes, quotes in them are doubled, and case does not matter. Dates are quoted, too, and
  are in UTC unless they have an offset; a date without a time means the whole day.
- A filter that cannot be understood gets 400, with the `position` of the mistake.

"""
SORT = """
Fields as in `filter`, separated by commas, each followed by `asc` (the default) or `desc`. A date that is
null is later than all others. Rows that are equal in all fields are in the order of their ids.
"""


class ExecutionFilterAndSort(FilterAndSort):
    fields = EXECUTION_FIELDS
    examples = "status='failed',(script_name like 'land%' OR progress<50)", "end_date desc"
    notes = """
A duration is a number of seconds, up to now if the execution has not ended. A comparison with `end_date`
never matches an execution that has not ended.

"""


class ScriptFilterAndSort(FilterAndSort):
    fields = SCRIPT_FIELDS
    examples = "name like '%land%',public='true'", "updated_at desc"


class LogFilter(filters.FilterSet):
    start = DateTimeFilter("register_date", "gt", help_text="Lines written after this time.")

    class Meta:
        model = ExecutionLog
        fields: list[str] = []


# The name that clients use, which cannot be the name of an attribute.
LogFilter.base_filters["last-id"] = WholeNumberFilter("id", "gt", help_text="Lines after this one.")
