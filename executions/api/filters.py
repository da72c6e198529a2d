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

from .filter_fields import EXECUTION_COLUMNS, SCRIPT_COLUMNS, Columns
from .filter_query import arrange, narrow


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
        "start_date", "gte", help_text="Executions created at this moment or later; a day or a moment."
    )

    class Meta:
        model = Execution
        fields: list[str] = []

    def of_user(self, executions: ExecutionQuerySet, name: str, user_id: Any) -> ExecutionQuerySet:
        return executions.filter(user=user_id) if self.request.user.may(*VIEW) else executions


class LanguageFilter(BaseFilterBackend):
    """The parameters ``filter`` and ``sort``, each a small language of its own.

    A subclass says what they may name, and shows and explains it.
    """

    columns: Columns
    examples: tuple[str, str]
    notes = ""

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        asked, for_staff = request.query_params, cast(Caller, request.user).may(*VIEW)
        narrowed = narrow(queryset, asked.get("filter", ""), self.columns, for_staff=for_staff)
        return arrange(narrowed, asked.get("sort", ""), self.columns, for_staff=for_staff)

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        staff = [name for name, column in self.columns.items() if column.for_staff]
        fields = f"Fields are {', '.join(self.columns)}; {', '.join(staff)} only for staff.\n"
        texts = {"filter": FILTER + self.notes + fields, "sort": SORT}
        return [
            query_parameter(name, texts[name]) | {"example": example}
            for name, example in zip(texts, self.examples, strict=True)
        ]


FILTER = r"""
Comparisons, separated by commas, that must all hold. In brackets, OR separates alternatives, of which one
must hold, with all of its comparisons.

- Operators are `= != > >= < <=` and `like`, in which `%` stands for any text and `_` for any character;
  `\%` and `\_` stand for themselves.
- Texts are in single quotes, a quote in them is doubled, and their case does not matter. Dates are quoted
  too, and are UTC unless they say otherwise; a day means all of it.
- What cannot be read answers 400, with its `position`.

"""
SORT = """
Fields as in `filter`, separated by commas, each with `asc` (the default) or `desc` after it. A date that
there is not is later than all others. Rows that are equal in all of them are in the order of their ids.
"""


class ExecutionLanguage(LanguageFilter):
    columns = EXECUTION_COLUMNS
    examples = "status='failed',(script_name like 'land%' OR progress<50)", "end_date desc"
    notes = """
A duration is a number of seconds, up to now if there is no end. Nothing that is said of `end_date` holds for
an execution that has not ended.

"""


class ScriptLanguage(LanguageFilter):
    columns = SCRIPT_COLUMNS
    examples = "name like '%land%',public='true'", "updated_at desc"


class LogFilter(filters.FilterSet):
    start = DateTimeFilter("register_date", "gt", help_text="Lines written after this moment.")

    class Meta:
        model = ExecutionLog
        fields: list[str] = []


# Clients call it so, and no attribute can be called so.
LogFilter.base_filters["last-id"] = WholeNumberFilter("id", "gt", help_text="Lines after this one.")
