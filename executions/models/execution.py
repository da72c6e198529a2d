"""Executions: runs of scripts. ``update_status`` is the only door through which a status changes."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from executions import dispatch
from executions.fields import VerbatimJSONField
from executions.triggers import GUARDS
from status.exceptions import ExecutionGone, IllegalMove, UnknownStatus, busy_by_name
from status.models import Move, StatusLog
from status.states import ACTIVE, INITIAL, MOVES, TERMINAL, Status, in_order, sources_of

from .script import Script

if TYPE_CHECKING:
    from gef_project.accounts.models import User


def _known(value: str) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise UnknownStatus(value) from None


def _columns(status: Status, progress: int | None, results: Any) -> dict[str, Any]:
    """What changes in the row when an execution moves to ``status``."""
    columns: dict[str, Any] = {"status": status}
    if status in TERMINAL:
        columns |= {"end_date": timezone.now(), "progress": 100}
    return columns | _report(progress, results)


def _report(progress: int | None, results: Any) -> dict[str, Any]:
    report = {"progress": progress, "results": results}
    return {name: value for name, value in report.items() if value is not None}


class ExecutionQuerySet(models.QuerySet["Execution"]):
    def visible_to(self, user: "User") -> Self:
        """Staff see every execution, others only their own."""
        return self if user.is_staff else self.filter(user=user)

    def active(self) -> Self:
        return self.filter(status__in=in_order(ACTIVE))

    @busy_by_name()
    @transaction.atomic
    def update_status(
        self,
        new_status: str,
        *,
        progress: int | None = None,
        results: Any = None,
        actor: "User | None" = None,
        source: str = "",
        reason: str = "",
    ) -> int:
        """:meth:`Execution.update_status` for every execution of the set, in one transaction.

        Returns:
            How many moved, each with a log row of its own. Those for which the move is illegal,
            or none, are left alone.
        """
        new_status = _known(new_status)
        # Rows first, in key order, then the ledger: everybody locks in this order, so nobody deadlocks.
        rows = self.filter(status__in=sources_of(new_status)).order_by("pk")
        rows = rows.select_for_update(of=("self",), no_key=True)
        moving = dict(rows.values_list("pk", "status"))
        if not moving:
            return 0
        columns = _columns(new_status, progress, results)
        self.model.objects.filter(pk__in=moving).update(**columns)
        StatusLog.objects.append_moves(
            (Move(pk, status_from, new_status) for pk, status_from in moving.items()),
            actor=actor,
            source=source,
            reason=reason,
        )
        if new_status in TERMINAL:
            dispatch.send_end_emails(moving)
        return len(moving)

    @busy_by_name()
    @transaction.atomic
    def delete(self) -> tuple[int, dict[str, int]]:
        self.lock()
        return super().delete()

    def lock(self) -> None:
        """Lock the rows for deletion, in key order like every other lock of several."""
        list(self.order_by("pk").select_for_update(of=("self",)).values_list("pk"))


class Execution(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    script = models.ForeignKey(Script, models.CASCADE, related_name="executions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="executions",
        db_index=False,  # execution_newest_of_user serves
    )
    params = VerbatimJSONField(default=dict, blank=True)
    results = VerbatimJSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=INITIAL, editable=False)
    progress = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    start_date = models.DateTimeField(default=timezone.now, editable=False)
    end_date = models.DateTimeField(null=True, blank=True, editable=False)
    queued_at = models.DateTimeField(null=True, blank=True, editable=False)
    dispatched_at = models.DateTimeField(null=True, blank=True, editable=False)
    worker = models.CharField(max_length=255, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        ordering = ["-start_date", "-id"]
        permissions = [("cancel_execution", "Can cancel any execution")]
        indexes = [
            # The newest executions, of everybody and of one user.
            models.Index(fields=["-start_date", "-id"], name="execution_newest"),
            models.Index(fields=["user", "-start_date", "-id"], name="execution_newest_of_user"),
            # What the monitor and the clean-up look through: the few that have not ended.
            models.Index(
                fields=["start_date"],
                name="execution_active",
                condition=models.Q(status__in=in_order(ACTIVE)),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=list(Status)), name="execution_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(progress__range=(0, 100)), name="execution_progress_percent"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=in_order(TERMINAL), end_date__isnull=False)
                | models.Q(status__in=in_order(ACTIVE), end_date__isnull=True),
                name="execution_end_date_when_ended",
            ),
        ]
        triggers = GUARDS

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def duration(self) -> timedelta:
        """From creation to the end, or to now."""
        return (self.end_date or timezone.now()) - self.start_date

    @busy_by_name()
    @transaction.atomic
    def update_status(
        self,
        new_status: str,
        *,
        progress: int | None = None,
        results: Any = None,
        actor: "User | None" = None,
        source: str = "",
        reason: str = "",
    ) -> StatusLog | None:
        """Move the execution to ``new_status``, and log it, in one transaction.

        A terminal status sets ``end_date``, and ``progress`` to 100 unless one is given. Progress and
        results that come with the status which the execution has already are stored while it is
        not terminal.

        Returns:
            The row written to the ledger, or None when the execution has that status already.

        Raises:
            UnknownStatus: ``new_status`` is not in the vocabulary.
            IllegalMove: the execution cannot go there from where it is now.
            ExecutionGone: it has been deleted.
            LedgerBusy: another transaction was in the way for too long; try again.
        """
        new_status = _known(new_status)
        columns = _columns(new_status, progress, results)
        status_from = Status(self.status)
        if not self._store_if(status_from, columns):
            # Not a move from what this instance knows, or another has moved the row since.
            status_from = self._lock()
            if new_status == status_from:
                self.report(progress=progress, results=results)
                return None
            if not self._store_if(status_from, columns):
                raise IllegalMove(status_from, new_status)
        if new_status in TERMINAL:
            dispatch.send_end_emails([self.pk])
        return StatusLog.objects.create(
            execution=self,
            status_from=status_from,
            status_to=new_status,
            actor=actor,
            source=source,
            reason=reason,
        )

    def report(self, *, progress: int | None = None, results: Any = None) -> bool:
        """Store progress and results of a run that goes on.

        Returns:
            False when the execution has ended or is gone: then nothing is stored.
        """
        columns = _report(progress, results)
        return self._store(type(self).objects.active(), columns) if columns else not self.has_ended

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> StatusLog | None:
        """End the execution on request; the worker stops its process as soon as it sees it."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    def _lock(self) -> Status:
        """Hold the row for this transaction, and look at what it is now."""
        row = type(self).objects.select_for_update(no_key=True).filter(pk=self.pk)
        status = row.values_list("status", flat=True).first()
        if status is None:
            raise ExecutionGone(f"Execution {self.pk} has been deleted.")
        self.status = status
        return Status(status)

    def _store_if(self, status_from: Status, columns: dict[str, Any]) -> bool:
        """Store the columns of a legal move if the row still has ``status_from``."""
        if columns["status"] not in MOVES[status_from]:
            return False
        return self._store(type(self).objects.filter(status=status_from), columns)

    def _store(self, rows: models.QuerySet["Execution"], columns: dict[str, Any]) -> bool:
        if not rows.filter(pk=self.pk).update(**columns):
            return False
        for name, value in columns.items():
            setattr(self, name, value)
        return True


@receiver(pre_delete, sender=Script)
def lock_executions_of_script(instance: Script, **kwargs: Any) -> None:
    """A cascade is about to delete them."""
    instance.executions.lock()


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def lock_executions_of_user(instance: "User", **kwargs: Any) -> None:
    """A cascade is about to delete them."""
    instance.executions.lock()
