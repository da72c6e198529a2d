"""Admin pages of models whose deletion deletes executions, directly or by a cascade."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from gef_project.common.attribution import attributed_to
from gef_project.common.exceptions import LedgerBusy
from gef_project.common.locking import translate_lock_errors

SOURCE = "admin"
MOST_COUNTED = 10_000  # objects of one model
SHOWN = 100  # objects named on a confirmation page; the others are counted


class AttributedAdmin(admin.ModelAdmin):
    """Deletions are attributed to the user; if the ledger is busy, the page says so, and nothing is gone."""

    delete_confirmation_template = "common/admin/delete_confirmation.html"
    delete_selected_confirmation_template = "common/admin/delete_selected_confirmation.html"

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        with _deletions(request, f"Deleted {self.opts.verbose_name} {obj}."):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        with _deletions(request, f"Deleted selected {self.opts.verbose_name_plural}."):
            super().delete_queryset(request, queryset)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except LedgerBusy as busy:
            self.message_user(request, str(busy), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            with transaction.atomic():  # with the admin's own record of the action
                return super().response_action(request, *args, **kwargs)
        except LedgerBusy as busy:
            self.message_user(request, str(busy), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def get_deleted_objects(
        self, objs: Sequence[models.Model] | models.QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, Any], set[str], list[str]]:
        """Count what a cascade deletes, where Django lists it: that is every log line of every run.

        No further than ``MOST_COUNTED``, so that the question costs the same however much there is.
        """
        pks = [obj.pk for obj in objs]
        counts = Counter({self.model: len(pks)})
        counts += _cascade(self.model._base_manager.filter(pk__in=pks))
        forbidden = [model for model in counts if not self._may_delete(request, model)]
        if not all(self.has_delete_permission(request, obj) for obj in objs):
            forbidden.append(self.model)
        names = [str(obj) for obj in objs[:SHOWN]]
        if len(pks) > SHOWN:
            names.append(f"… and {len(pks) - SHOWN} more")
        return (
            names,
            {str(model._meta.verbose_name_plural): _said(count) for model, count in counts.items()},
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


def _said(count: int) -> int | str:
    return count if count <= MOST_COUNTED else f"{MOST_COUNTED:,}+"


def _cascade(rows: models.QuerySet[Any]) -> Counter[type[models.Model]]:
    """How many objects of which models go with these rows."""
    counts: Counter[type[models.Model]] = Counter()
    for relation in rows.model._meta.related_objects:
        if getattr(relation, "on_delete", None) is models.CASCADE:
            model = cast("type[models.Model]", relation.related_model)
            related = model._base_manager.filter(**{f"{relation.field.name}__in": rows})[: MOST_COUNTED + 1]
            if count := related.count():
                counts[model] += count
                counts += _cascade(related)
    return counts
