"""Admin pages of models whose deletion deletes executions, directly or by a cascade."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from gef_project.common.attribution import attributed_to
from gef_project.common.exceptions import LedgerBusy
from gef_project.common.locking import translate_lock_errors

from .cascades import Count, Counts, count_cascade, delete_cascade

SOURCE = "admin"
REASON = 500  # characters
SHOWN = 100  # objects named on a confirmation page; the others are counted


class AttributedAdmin(admin.ModelAdmin):
    """Deletions are attributed to the user; what goes with the objects is deleted before them, in batches.

    If the ledger is busy, or it takes too long, the page says so; to delete again goes on from there.
    """

    delete_confirmation_template = "common/admin/delete_confirmation.html"
    delete_selected_confirmation_template = "common/admin/delete_selected_confirmation.html"

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        with _deletions(request, f"Deleted {self.opts.verbose_name} {obj}."):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        with _deletions(request, f"Deleted selected {self.opts.verbose_name_plural}."):
            super().delete_queryset(request, queryset)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        try:
            obj = self.get_object(request, unquote(object_id)) if request.POST.get("post") else None
            if obj and not self._delete_dependents(request, [obj]):
                return HttpResponseRedirect(request.get_full_path())
            return super().delete_view(request, object_id, *args, **kwargs)
        except LedgerBusy as busy:
            self.message_user(request, str(busy), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            if request.POST.get("action") == "delete_selected" and request.POST.get("post"):
                chosen = queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
                if not self._delete_dependents(request, list(chosen)):
                    return HttpResponseRedirect(request.get_full_path())
            with transaction.atomic():  # with the admin's own record of the action
                return super().response_action(request, queryset, *args, **kwargs)
        except ValidationError as error:
            raise BadRequest("What was selected has no such ids.") from error
        except LedgerBusy as busy:
            self.message_user(request, str(busy), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def _delete_dependents(self, request: HttpRequest, objs: list[models.Model]) -> bool:
        """Whether nothing is left that would keep one transaction busy for long."""
        _names, _counts, forbidden, _protected = self.get_deleted_objects(objs, request)
        if forbidden:
            raise PermissionDenied
        with _deletions(request, f"Deleted with {', '.join(map(str, objs[:SHOWN]))}."[:REASON]):
            if delete_cascade(self.model, [obj.pk for obj in objs]):
                return True
        text = _("Many objects have been deleted, but not yet all of them. Delete again to go on.")
        self.message_user(request, text, messages.WARNING)
        return False

    def get_deleted_objects(
        self, objs: Sequence[models.Model] | models.QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, Any], set[str], list[str]]:
        """Count what a cascade deletes, up to a bound, where Django lists every log line of every run."""
        pks = [obj.pk for obj in objs]
        counts: Counts = {self.model: Count(len(pks)), **count_cascade(self.model, pks)}
        forbidden = [model for model in counts if not self._may_delete(request, model)]
        if not all(self.has_delete_permission(request, obj) for obj in objs):
            forbidden.append(self.model)
        names = [str(obj) for obj in objs[:SHOWN]]
        if len(pks) > SHOWN:
            names.append(f"… and {len(pks) - SHOWN} more")
        return (
            names,
            {str(model._meta.verbose_name_plural): count for model, count in counts.items()},
            {str(model._meta.verbose_name) for model in forbidden},
            [],
        )

    def _may_delete(self, request: HttpRequest, model: type[models.Model]) -> bool:
        if not self.admin_site.is_registered(model):
            return True
        return self.admin_site.get_model_admin(model).has_delete_permission(request)


@contextmanager
def _deletions(request: HttpRequest, reason: str) -> Iterator[None]:
    actor = cast(AbstractBaseUser, request.user)  # the admin lets nobody else in
    with translate_lock_errors(), attributed_to(actor, SOURCE, reason):
        yield
