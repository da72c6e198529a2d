"""Executions to look at and to cancel; what they are and how they go is the API's and the worker's to say."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from executions.models import Execution, ExecutionQuerySet, Script
from gef_project.accounts.admin import actor
from gef_project.accounts.models import User
from gef_project.common.admin import AttributedAdmin, DateFilter
from status.admin.display import badge, transition
from status.exceptions import StatusChangeError
from status.models import StatusLog
from status.sources import Source
from status.states import Status

from .display import document, log_lines, span, newest


class StartFilter(DateFilter):
    title = "start"
    field = "start_date"


class BoundedPaginator(Paginator):
    """Counts no further than ``LIMIT``, so that a page costs the same however many there are."""

    LIMIT = 10_000
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.LIMIT].count()

    @property
    def is_cut(self) -> bool:
        return self.count == self.LIMIT


@admin.register(Execution)
class ExecutionAdmin(AttributedAdmin):
    list_display = ["id", "shown_status", "shown_progress", "start_date", "shown_duration", "script", "user"]
    list_select_related = ["script", "user"]
    list_filter = ["status", "script", StartFilter]
    list_max_show_all = 0
    sortable_by = ["start_date"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ["id"]
    search_help_text = "The whole id of an execution, or part of a user's email or of a script's slug."
    actions = ["cancel_selected"]
    fields = [
        "id",
        "script",
        "user",
        "shown_status",
        "shown_progress",
        "shown_duration",
        "start_date",
        "end_date",
        "queued_at",
        "dispatched_at",
        "heartbeat_at",
        "worker",
        "shown_params",
        "shown_results",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        return super().get_queryset(request).defer("params", "results")  # megabytes

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            # As lists of ids, since a join would look at every execution.
            users = User.objects.filter(email__icontains=term).values_list("pk", flat=True)
            scripts = Script.objects.filter(slug__icontains=term).values_list("pk", flat=True)
            return queryset.filter(Q(user__in=list(users)) | Q(script__in=list(scripts))), False

    def has_add_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return actor(request).has_perm("executions.cancel_execution")

    @admin.action(description="Cancel selected executions", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: ExecutionQuerySet) -> None:
        selected = queryset.count()
        cancelled = queryset.update_status(Status.CANCELLED, actor=actor(request), source=Source.ADMIN)
        text = f"Cancelled: {cancelled}."
        if selected > cancelled:
            text += f" Had ended already: {selected - cancelled}."
        self.message_user(request, text, messages.SUCCESS if cancelled else messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        cancel = self.admin_site.admin_view(self.cancel_view)
        return [path("<uuid:pk>/cancel/", cancel, name="executions_execution_cancel"), *super().get_urls()]

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        execution = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            log = execution.cancel(actor=actor(request), source=Source.ADMIN)
        except StatusChangeError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            text = "The execution has been cancelled." if log else "The execution was cancelled already."
            self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:executions_execution_change", pk)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        execution = context["original"]
        context |= {
            "may_cancel": self.has_cancel_permission(request) and not execution.has_ended,
            "history": newest(StatusLog.objects.filter(execution=execution.pk).select_related("actor")),
            "lines": newest(log_lines(execution)),
        }
        for log in context["history"]["rows"]:
            log.transition = transition(log)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="status")
    def shown_status(self, execution: Execution) -> SafeString:
        return badge(execution.status)

    @admin.display(description="progress")
    def shown_progress(self, execution: Execution) -> SafeString:
        return format_html(
            '<span class="progress"><progress max="100" value="{0}"></progress> {0}%</span>',
            execution.progress,
        )

    @admin.display(description="duration")
    def shown_duration(self, execution: Execution) -> str:
        return span(execution.duration)

    @admin.display(description="params")
    def shown_params(self, execution: Execution) -> SafeString:
        return document(execution, "params")

    @admin.display(description="results")
    def shown_results(self, execution: Execution) -> SafeString:
        return document(execution, "results")
