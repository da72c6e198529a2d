"""Scripts: what an execution runs."""

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from executions import dispatch
from gef_project.common.attribution import attributed_to
from gef_project.common.locking import retry_deadlocks

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .execution import Execution


def validate_command(value: object) -> None:
    """A command is a program and its arguments, each a string: no shell reads it."""
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(word, str) and word and "\0" not in word for word in value)
    ):
        raise ValidationError('A command is a non-empty list of strings, such as ["python", "-V"].')


VIEW = ("executions.view_script", "executions.change_script")


class ScriptQuerySet(models.QuerySet["Script"]):
    def visible_to(self, user: "User") -> Self:
        """Staff who may view scripts see every one, others only the published ones."""
        return self if user.may(*VIEW) else self.filter(published=True)

    def with_recent_runs(self, most: int) -> Self:
        """With ``last_run``, a time, and ``recent``: so many newest outcomes, None of what has not ended."""
        runs = apps.get_model("executions.Execution").objects.filter(script=models.OuterRef("pk"))
        newest = runs.order_by("-start_date", "-id")
        return self.annotate(
            recent=ArraySubquery(newest.values("outcome")[:most]),
            last_run=models.Subquery(newest.values("start_date")[:1]),
        )

    @retry_deadlocks
    def delete(self) -> tuple[int, dict[str, int]]:
        return super().delete()


class Script(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    command = models.JSONField(
        validators=[validate_command],
        help_text="The program and its arguments, as a JSON list of strings. No shell reads it.",
    )
    time_limit = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(1)],
        help_text="Seconds after which a run is stopped, and has FAILED.",
    )
    attempts = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1)],
        help_text="How often a run is begun at most: again when its machine was lost. It must bear that.",
    )
    retry_delay = models.PositiveIntegerField(
        default=60,
        db_default=60,
        help_text="Seconds before the second attempt; twice as many before each further one.",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="scripts",
        verbose_name="made by",
    )
    published = models.BooleanField(default=False, help_text="May everybody see and run it?")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScriptQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        permissions = [("run_script", "Can run published scripts")]

    def __str__(self) -> str:
        return self.name

    def may_be_run_by(self, user: "User") -> bool:
        """Users run what is published. Staff need a permission, and another for what is not published."""
        if not user.is_staff:
            return self.published
        may_run = user.has_perm("executions.run_script")
        return may_run and (self.published or user.has_perm("executions.change_script"))

    @retry_deadlocks
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return super().delete(*args, **kwargs)

    @retry_deadlocks
    def run(
        self, user: "User", params: dict[str, Any] | None = None, *, source: str = "", reason: str = ""
    ) -> "Execution":
        """Create an execution for ``user``, and queue it for a worker after the commit."""
        with attributed_to(user, source, reason):
            execution = self.executions.create(user=user, params=params or {}, queued_at=Now())
            dispatch.run_execution(execution.pk)
        return execution
