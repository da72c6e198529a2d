from typing import Any

from django import forms
from django_filters import rest_framework as filters

from executions.models import Execution, ExecutionLog, ExecutionQuerySet
from gef_project.api.filters import MomentFilter, WholeNumberFilter
from status.states import Status


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
    updated_at = MomentFilter(
        "start_date", "gte", help_text="Executions created at this moment or later; a day or a moment."
    )

    class Meta:
        model = Execution
        fields: list[str] = []

    def of_user(self, executions: ExecutionQuerySet, name: str, user_id: Any) -> ExecutionQuerySet:
        return executions.filter(user=user_id) if self.request.user.is_staff else executions


class LogFilter(filters.FilterSet):
    start = MomentFilter("register_date", "gt", help_text="Lines written after this moment.")

    class Meta:
        model = ExecutionLog
        fields: list[str] = []


# Clients call it so, and no attribute can be called so.
LogFilter.base_filters["last-id"] = WholeNumberFilter("id", "gt", help_text="Lines after this one.")
