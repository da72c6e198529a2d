"""The ledger to look at: nothing of it can be changed here, by anybody."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from status.models import StatusLog
from status.states import Status, count_field

from .display import transition
from .filters import EventFilter, FromFilter, SourceFilter, ToFilter
from .paging import LedgerChangeList, LedgerDateFilter, LedgerPaginator, has_every_row

EXECUTION = "executions.Execution"
COUNTS = [count_field(status) for status in Status] + ["executions_active"]


def _count_column(name: str) -> Any:
    @admin.display(description=name.removeprefix("executions_"))
    def column(log: StatusLog) -> int:
        count: int = getattr(log, name)
        return count

    return column


@admin.register(StatusLog)
class StatusLogAdmin(admin.ModelAdmin):
    list_display = [
        "id",
        "timestamp",
        "short_execution",
        "shown_transition",
        *map(_count_column, COUNTS),
        "source",
        "shown_actor",
        "reason",
    ]
    list_filter = [LedgerDateFilter, EventFilter, FromFilter, ToFilter, SourceFilter]
    list_max_show_all = 0
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: list[str] = []
    search_fields = ["execution"]
    search_help_text = "The whole id of an execution."
    fields = [
        "id",
        "timestamp",
        "whole_execution",
        "shown_transition",
        *COUNTS,
        "source",
        "shown_actor",
        "reason",
    ]

    class Media:
        css = {"all": ["common/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatusLog]:
        # Whether it exists is all that is asked: its params and results may be megabytes.
        executions = apps.get_model(EXECUTION).objects.filter(pk=OuterRef("execution_id"))
        queryset: QuerySet[StatusLog] = super().get_queryset(request)
        return queryset.select_related("actor").annotate(execution_exists=Exists(executions))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerChangeList]:
        return LedgerChangeList

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *args: Any, **kwargs: Any
    ) -> Paginator:
        paginator = LedgerPaginator if has_every_row(request) else Paginator
        return paginator(queryset, per_page, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StatusLog], search_term: str
    ) -> tuple[QuerySet[StatusLog], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            execution_id = UUID(search_term.strip())
        except ValueError:
            return queryset.none(), False
        return queryset.filter(execution=execution_id), False

    def has_add_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    @admin.display(description="execution")
    def short_execution(self, log: StatusLog) -> str:
        start = str(log.execution_id)[:8]
        return self._linked(log, format_html('<span title="{}">{}</span>', log.execution_id, start))

    @admin.display(description="execution")
    def whole_execution(self, log: StatusLog) -> str:
        return self._linked(log, str(log.execution_id))

    def _linked(self, log: StatusLog, text: str) -> str:
        if not log.execution_id:
            return self.get_empty_value_display()
        if not log.execution_exists:  # type: ignore[attr-defined]  # annotated above
            return text
        url = reverse("admin:executions_execution_change", args=[log.execution_id])
        return format_html('<a href="{}">{}</a>', url, text)

    @admin.display(description="from → to")
    def shown_transition(self, log: StatusLog) -> str:
        return transition(log)

    @admin.display(description="actor")
    def shown_actor(self, log: StatusLog) -> str:
        return str(log.actor or log.actor_id or self.get_empty_value_display())
