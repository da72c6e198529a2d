"""Users in the admin, and its log-in."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from gef_project.accounts.models import User
from gef_project.common.admin import AttributedAdmin
from gef_project.common.errors import TooManyAttempts


class LoginForm(AdminAuthenticationForm):
    """Shows how long to wait after too many failures."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except TooManyAttempts as error:
            raise ValidationError(str(error.detail), code=error.default_code) from None


admin.site.login_form = LoginForm


def actor(request: HttpRequest) -> User:
    """The user to whom a change is attributed; the admin lets nobody else in."""
    return cast(User, request.user)


@admin.register(User)
class UserAdmin(AttributedAdmin, DjangoUserAdmin):
    """Only a superuser gives rights, or touches another superuser."""

    list_display = ["email", "name", "role", "institution", "is_active", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    readonly_fields = ["id", "role", "last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["id", "email", "password"]}),
        ("Person", {"fields": ["name", "institution", "country", "email_notifications"]}),
        (
            "Rights",
            {"fields": ["role", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["email", "name", "usable_password", "password1", "password2"],
            },
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        rights = [] if actor(request).is_superuser else RIGHTS
        return [*self.readonly_fields, *rights]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]


def _may_touch(request: HttpRequest, obj: Any) -> bool:
    return obj is None or not obj.is_superuser or actor(request).is_superuser
