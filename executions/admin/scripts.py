"""Scripts, all of whose columns may be edited by hand."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from executions.models import Script
from gef_project.accounts.admin import actor
from gef_project.common.admin import AttributedAdmin


@admin.register(Script)
class ScriptAdmin(AttributedAdmin):
    list_display = ["slug", "name", "published", "time_limit", "user", "updated_at"]
    list_select_related = ["user"]
    list_filter = ["published"]
    search_fields = ["slug", "name", "description"]
    prepopulated_fields = {"slug": ["name"]}
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
    readonly_fields = ["user", "created_at", "updated_at"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"command": []} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: Script, form: Any, change: bool) -> None:
        if not change:
            obj.user = actor(request)
        super().save_model(request, obj, form, change)
