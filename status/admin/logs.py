"""The ledger to look at: nothing of it can be changed here, by anybody."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any, cast

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from gef_project.common.export import FORMATS, export
from status.models import StatusLog
from status.row_json import COLUMNS

from .display import counts_bar, counts_of, shown_time, transition
from .filters import EventFilter, FromFilter, SourceFilter, ToFilter
from .paging import AT, LedgerChangeList, LedgerDateFilter

EXECUTION = "executions.Execution"
REASON = 100  # characters in the list; the row's page has all of them


@admin.register(StatusLog)
class StatusLogAdmin(admin.ModelAdmin):
    list_display = [
        "id",
        "time",
        "shown_execution",
        "shown_transition",
        "shown_actor",
        "shown_counts",
        "shown_reason",
    ]
    list_filter = [LedgerDateFilter, EventFilter, FromFilter, ToFilter, SourceFilter]
    list_max_show_all = 0
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: list[str] = []
    empty_value_display = ""
    fields = ["id", "time", "shown_execution", "shown_transition", "shown_actor", "reason"]

    class Media:
        css = {"all": ["common/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatusLog]:
        queryset: QuerySet[StatusLog] = super().get_queryset(request)
        return queryset.select_related("actor")

    def get_object(self, request: HttpRequest, *args: Any) -> StatusLog | None:
        log: StatusLog | None = super().get_object(request, *args)
        return log and self.with_runs([log])[0]

    def with_runs(self, rows: list[StatusLog]) -> list[StatusLog]:
        """The rows, each with ``run``: the script's id and name, if the execution still exists."""
        executions = apps.get_model(EXECUTION).objects.filter(pk__in={log.execution_id for log in rows})
        # Their params and results may be megabytes.
        runs = {pk: script for pk, *script in executions.values_list("pk", "script_id", "script__name")}
        for log in rows:
            log.run = runs.get(log.execution_id)  # type: ignore[attr-defined]
        return rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerChangeList]:
        return LedgerChangeList

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="status_statuslog_export"), *super().get_urls()]

    @method_decorator(require_safe)
    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Every row that the filters of the list let through, oldest first, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if (format := request.GET.get("format", "csv")) not in FORMATS:
            raise BadRequest("The format is csv or jsonl.")
        try:
            changes = cast(LedgerChangeList, self.get_changelist_instance(request))
        except IncorrectLookupParameters as error:
            raise BadRequest("A filter cannot be read.") from error
        rows = changes.every_row()
        return export(request, rows, COLUMNS, format, name="status-log", log=StatusLog.objects.all())

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {"title": _("Status log"), "at_name": AT} | (extra_context or {})
        return super().changelist_view(request, context)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        log: StatusLog = context["original"]
        context |= {
            "title": _("Row {number} of the status log").format(number=log.pk),
            "counts": counts_of(log),
            "bar": counts_bar(log),
            "neighbours": self._neighbours(log),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _neighbours(self, log: StatusLog) -> list[tuple[Any, StatusLog | None]]:
        """The rows before and after this one: of the ledger, and of the same execution."""
        ledger = self.model._default_manager.select_related("actor")
        found = [
            (_("Before, in the ledger"), ledger.filter(id__lt=log.pk).order_by("-id").first()),
            (_("After, in the ledger"), ledger.filter(id__gt=log.pk).order_by("id").first()),
        ]
        if log.execution_id:
            own = ledger.filter(execution=log.execution_id)
            found += [
                (_("Before, of this execution"), own.filter(id__lt=log.pk).order_by("-id").first()),
                (_("After, of this execution"), own.filter(id__gt=log.pk).order_by("id").first()),
            ]
        for _title, row in found:
            if row:
                row.shown = {"time": shown_time(row), "transition": transition(row)}
        return found

    def has_add_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StatusLog | None = None) -> bool:
        return False

    @admin.display(description=_("time"))
    def time(self, log: StatusLog) -> SafeString:
        return shown_time(log)

    @admin.display(description=_("execution"))
    def shown_execution(self, log: StatusLog) -> str:
        if not log.execution_id:
            return self.get_empty_value_display()
        short = format_html('<code title="{}">{}</code>', log.execution_id, str(log.execution_id)[:8])
        run: Sequence[Any] | None = log.run  # type: ignore[attr-defined]  # with_runs
        if not run:
            return format_html("{} ({})", short, _("deleted"))
        script, name = run
        return format_html(
            '<a href="{}">{}</a> <a href="{}">{}</a>',
            reverse("admin:executions_execution_change", args=[log.execution_id]),
            short,
            reverse("admin:executions_script_change", args=[script]),
            name,
        )

    @admin.display(description=_("from → to"))
    def shown_transition(self, log: StatusLog) -> str:
        return transition(log)

    @admin.display(description=_("who, by what"))
    def shown_actor(self, log: StatusLog) -> str:
        actor = log.actor or log.actor_id
        return " · ".join(str(part) for part in (actor, log.source) if part) or self.get_empty_value_display()

    @admin.display(description=_("counts"))
    def shown_counts(self, log: StatusLog) -> SafeString:
        return counts_bar(log)

    @admin.display(description=_("reason"))
    def shown_reason(self, log: StatusLog) -> str:
        return shorten(log.reason, REASON, placeholder="…")
