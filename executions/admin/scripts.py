"""Scripts: how their last runs went, running one, and editing them by hand."""

import json
from io import BytesIO
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException

from executions.models import Script
from executions.models.script import ScriptQuerySet
from gef_project.accounts.admin import actor
from gef_project.common.admin import AttributedAdmin
from gef_project.common.exceptions import LedgerBusy
from gef_project.common.parsers import BoundedJSONParser
from status.models import Source
from status.states import Status

from .display import time
from .script_runs import RUNS, last_params, rate, summary


class IndentedJSONField(forms.JSONField):
    """A list has an element a line."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


class RunForm(forms.Form):
    params = forms.CharField(
        label=gettext_lazy("Parameters"),
        help_text=gettext_lazy("A JSON object. It begins with the parameters of an earlier run, if any."),
        strip=False,
        widget=forms.Textarea({"rows": 16, "cols": 80, "spellcheck": "false", "class": "code"}),
    )

    def clean_params(self) -> dict[str, Any]:
        """As strict as the API."""
        try:
            params = BoundedJSONParser().parse(BytesIO(self.cleaned_data["params"].encode()))
        except APIException as error:
            raise forms.ValidationError(str(error.detail)) from error
        if not isinstance(params, dict):
            raise forms.ValidationError(_("The parameters of a run are a JSON object, such as {}."))
        return params


@admin.register(Script)
class ScriptAdmin(AttributedAdmin):
    list_display = ["name", "slug", "published", "last_run", "failure_rate"]
    list_filter = ["published"]
    list_max_show_all = 0
    sortable_by = ["name", "slug"]
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["slug", "name"]
    prepopulated_fields = {"slug": ["name"]}
    formfield_overrides = {models.JSONField: {"form_class": IndentedJSONField}}
    fields = [
        "name",
        "slug",
        "description",
        "command",
        "time_limit",
        "published",
        "user",
        "created_at",
        "updated_at",
    ]
    readonly_fields = ["user", "created_at", "updated_at", "shown_command"]

    def get_queryset(self, request: HttpRequest) -> ScriptQuerySet:
        return Script.objects.select_related("user").order_by("slug")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        # Here, so that the runs are looked up for the scripts of the page only.
        changes.result_list = list(changes.result_list.with_recent_runs(RUNS))
        return changes

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in {"published__exact", "published__isnull"}

    def get_fields(self, request: HttpRequest, obj: Script | None = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fields
        return ["shown_command" if field == "command" else field for field in self.fields]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"command": []} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: Script, form: Any, change: bool) -> None:
        if not change:
            obj.user = actor(request)
        super().save_model(request, obj, form, change)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if script := context.get("original"):
            context |= {
                "may_run": script.may_be_run_by(actor(request)),
                "summary": summary(script) if request.user.has_perm("executions.view_execution") else None,
                "most_runs": RUNS,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(self.run_view)
        return [path("<uuid:pk>/run/", run, name="executions_script_run"), *super().get_urls()]

    def run_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        script = get_object_or_404(Script, pk=pk)
        if not (self.has_view_permission(request, script) and script.may_be_run_by(actor(request))):
            raise PermissionDenied
        form = RunForm(request.POST or None, initial={"params": self._params_of_run(request, script)})
        if form.is_valid():
            try:
                execution = script.run(actor(request), form.cleaned_data["params"], source=Source.ADMIN)
            except LedgerBusy as busy:
                form.add_error(None, str(busy))
            else:
                text = _("Execution {id} has been created.").format(id=execution.pk)
                self.message_user(request, text, messages.SUCCESS)
                if request.user.has_perm("executions.view_execution"):
                    return redirect("admin:executions_execution_change", execution.pk)
                return redirect("admin:executions_script_change", script.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Run {name}").format(name=script.name),
            "opts": self.opts,
            "script": script,
            "form": form,
        }
        return render(request, "admin/executions/script/run.html", context)

    def _params_of_run(self, request: HttpRequest, script: Script) -> str:
        """Of the run that is to be repeated, or of the newest; only for those who may see them."""
        if not request.user.has_perm("executions.view_execution"):
            return "{}"
        try:
            return last_params(script, UUID(request.GET["like"]))
        except (KeyError, ValueError):
            return last_params(script)

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, script: Any) -> SafeString | str:
        if not script.last_run:
            return _("never")
        return time(script.last_run, "data-relative")

    @admin.display(description=gettext_lazy("failure rate"))
    def failure_rate(self, script: Any) -> str:
        return rate(script.recent, Status.FAILED)

    @admin.display(description=gettext_lazy("command"))
    def shown_command(self, script: Script) -> SafeString:
        words = format_html_join("", "<li><code>{}</code></li>", ([word] for word in script.command))
        return format_html('<ol class="command">{}</ol>', words)
