"""Executions to look at, to cancel and to delete; the API and the workers do everything else to them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from executions.models import Execution, Script
from gef_project.accounts.admin import actor
from gef_project.common.admin import AttributedAdmin
from status.models import StatusLog
from status.states import Status

from . import execution_page, log_page, lookups
from .bulk import ACTIONS, Confirmation
from .listing import Listing

SCRIPTS_SHOWN = 20


@admin.register(Execution)
class ExecutionAdmin(AttributedAdmin):
    """Pages of our own: Django's would count and sort every execution."""

    search_fields = ["id"]
    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return actor(request).has_perm("executions.cancel_execution")

    def may(self, request: HttpRequest, action: str) -> bool:
        allowed = {
            "cancel_selected": self.has_cancel_permission,
            "delete_selected": self.has_delete_permission,
        }
        return action in allowed and allowed[action](request)

    def get_urls(self) -> list[URLPattern]:
        views: list[tuple[str, Callable[..., HttpResponseBase], str]] = [
            ("scripts/", self.scripts_view, "scripts"),
            ("<uuid:pk>/cancel/", self.cancel_view, "cancel"),
            ("<uuid:pk>/lines/", self.lines_view, "lines"),
            ("<uuid:pk>/log.txt", self.log_view, "log"),
            ("<uuid:pk>/<str:column>.json", self.document_view, "document"),
        ]
        ours = [
            path(route, self.admin_site.admin_view(view), name=f"executions_execution_{name}")
            for route, view, name in views
        ]
        return [*ours, *super().get_urls()]

    # --- The list --------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        self._check_view(request)
        if request.method == "POST":
            return self._act(request)
        listing = Listing.of(request.GET)
        counts = listing.counts()
        context = {
            "title": "Executions",
            "listing": listing,
            "rows": listing.page.rows,
            "tabs": [self._tab(listing, "", "All", "")]
            + [self._tab(listing, status, status.label, counts.get(status, "")) for status in Status],
            "actions": [action for name, action in ACTIONS.items() if self.may(request, name)],
            "newest": StatusLog.objects.newest(),
            "is_first_page": not (request.GET.get("after") or request.GET.get("until")),
        }
        return self._render(request, "change_list", context)

    def _tab(self, listing: Listing, status: str, label: str, count: str) -> dict[str, Any]:
        chosen = (listing.query.status or "") == status
        return {
            "name": "" if listing.query.is_narrow else status.lower(),
            "label": label,
            "count": count,
            "url": listing.query.url(status=status),
            "chosen": chosen,
        }

    def scripts_view(self, request: HttpRequest) -> HttpResponse:
        """Slugs that begin like what has been typed."""
        self._check_view(request)
        typed = request.GET.get("q", "").replace("\0", "")
        scripts = Script.objects.filter(slug__istartswith=typed).order_by("slug")
        return JsonResponse({"scripts": list(scripts.values_list("slug", flat=True)[:SCRIPTS_SHOWN])})

    # --- One execution ---------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        self._check_view(request)
        if request.method == "POST":
            raise PermissionDenied
        execution = self._find(object_id)
        context = execution_page.context_of(execution, request.GET)
        context |= {
            "may_cancel": self.has_cancel_permission(request) and not execution.has_ended,
            "may_delete": self.has_delete_permission(request),
            "may_run": execution.script.may_be_run_by(actor(request)),
            "newest": StatusLog.objects.newest(),
        }
        return self._render(request, "change_form", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The ledger is the history."""
        self._check_view(request)
        return redirect(_page_of(self._find(object_id)) + "?tab=history")

    def lines_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The lines after ``after``, as the rows of the page's table."""
        self._check_view(request)
        lines = log_page.Lines.of(self._find(pk), request.GET)
        return render(request, "admin/executions/execution/lines.html", {"lines": lines})

    def log_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        self._check_view(request)
        text = log_page.as_text(self._find(pk))
        return _attachment(StreamingHttpResponse(text, content_type="text/plain"), f"{pk}.log.txt")

    def document_view(self, request: HttpRequest, pk: UUID, column: str) -> HttpResponseBase:
        self._check_view(request)
        if column not in {"params", "results"}:
            raise Http404
        rows = Execution.objects.filter(pk=pk).annotate(text=Cast(column, TextField()))
        text = rows.values_list("text", flat=True).first()
        if text is None:
            raise Http404
        return _attachment(HttpResponse(text, content_type="application/json"), f"{pk}.{column}.json")

    def cancel_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self._confirm_one(request, "cancel_selected", pk)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        return self._confirm_one(request, "delete_selected", object_id)

    # --- Actions ---------------------------------------------------------------------------------------

    def _act(self, request: HttpRequest) -> HttpResponse:
        """The list's form, and the confirmation page's."""
        name = request.POST.get("action", "")
        if not self.may(request, name):
            raise PermissionDenied
        confirmation = Confirmation.of_many(request, ACTIONS[name])
        return confirmation.answer(self, reverse("admin:executions_execution_changelist"))

    def _confirm_one(self, request: HttpRequest, name: str, pk: object) -> HttpResponse:
        if not self.may(request, name):
            raise PermissionDenied
        execution = self._find(pk)
        is_deletion = name == "delete_selected"
        after = reverse("admin:executions_execution_changelist") if is_deletion else _page_of(execution)
        return Confirmation.of_one(request, ACTIONS[name], execution).answer(self, after)

    # --- Helpers ---------------------------------------------------------------------------------------

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _find(self, pk: object) -> Execution:
        try:
            return lookups.rows().get(pk=UUID(str(pk)))
        except (ValueError, Execution.DoesNotExist):
            raise Http404 from None

    def _render(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/executions/execution/{name}.html", shared | context)


def _page_of(execution: Execution) -> str:
    return reverse("admin:executions_execution_change", args=[execution.pk])


def _attachment(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
