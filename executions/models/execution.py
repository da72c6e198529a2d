"""Executions: runs of scripts. ``update_status`` is the only door through which a status changes."""

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from executions import dispatch
from executions.fields import VerbatimJSONField
from executions.triggers import GUARDS
from gef_project.common.locking import retries_deadlocks
from status.exceptions import ExecutionGone, IllegalMove, ReportTooLate, StatusChangeError
from status.models import StatusLog
from status.states import ACTIVE, INITIAL, MOVES, TERMINAL, Status, in_order

from .queryset import ExecutionQuerySet
from .script import Script
from .transitions import Change, Note, columns_of_move, columns_of_report, known_status, move_one

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .log import ExecutionLog


def line_of_refusal(
    refusal: StatusChangeError, status: str | None, progress: int | None, results: Any
) -> dict[str, str]:
    """What is kept in the log of a report that was refused, all of it."""
    given = ({"status": status} if status else {}) | columns_of_report(progress, results)
    return {"text": f"{refusal} Reported: {json.dumps(given)}", "level": "WARNING"}


class Execution(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    script = models.ForeignKey(Script, models.CASCADE, related_name="executions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="executions",
        db_index=False,  # execution_open_first_of_user serves
    )
    params = VerbatimJSONField(default=dict, blank=True)
    results = VerbatimJSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=INITIAL, editable=False)
    # The number of its latest move, the transaction that made it (with a minus: and proved it together with
    # others), and its way, such as READY>RUNNING. The database sees to all of them.
    moves = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    moved_in = models.BigIntegerField(null=True, editable=False)
    last_move = models.CharField(max_length=21, default="", db_default="", editable=False)
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
            # The newest executions, in the admin.
            models.Index(fields=["-start_date", "-id"], name="execution_newest"),
            # A page of open_first(), of everybody and of one user: DESC puts what has no end first.
            models.Index(fields=["-end_date", "-start_date", "-id"], name="execution_open_first"),
            models.Index(
                fields=["user", "-end_date", "-start_date", "-id"], name="execution_open_first_of_user"
            ),
            # No index depends on the status: so a move that is no end touches none of them.
            # What the monitor and the clean-up look through: the few that have not ended.
            models.Index(fields=["start_date"], name="execution_active", condition=models.Q(end_date=None)),
            # Those that ended lately, and whose owner has not been told.
            models.Index(
                fields=["end_date"],
                name="execution_unannounced",
                condition=models.Q(end_date__isnull=False, notified_at=None),
            ),
        ]
        constraints = [
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

    @retries_deadlocks
    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)

    @retries_deadlocks
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return super().delete(*args, **kwargs)

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def duration(self) -> timedelta:
        """From creation to the end, or to now."""
        return (self.end_date or timezone.now()) - self.start_date

    @retries_deadlocks
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
        new_status = known_status(new_status)
        columns, note = columns_of_move(new_status, progress, results), Note(actor, source, reason)
        log = self._move(Status(self.status), columns, note)
        if log is None:
            # Not a move from what this instance knows, or another has moved the row since.
            status_from = self._lock()
            if new_status == status_from:
                self.report(progress=progress, results=results)
                return None
            log = self._move(status_from, columns, note)
            if log is None:
                raise IllegalMove(status_from, new_status)
        if new_status in TERMINAL:
            dispatch.send_end_emails([self.pk])
        return log

    def report(self, *, progress: int | None = None, results: Any = None) -> bool:
        """Store progress and results of a run that goes on.

        Returns:
            False when the execution has ended or is gone: then nothing is stored.
        """
        columns = columns_of_report(progress, results)
        return self._store(type(self).objects.active(), columns) if columns else not self.has_ended

    @retries_deadlocks
    def accept_report(
        self,
        status: str | None = None,
        *,
        progress: int | None = None,
        results: Any = None,
        actor: "User | None" = None,
        source: str = "",
    ) -> None:
        """Store what a run reports of itself, or keep it as a log line when it cannot be stored.

        The report of the end may come twice: when it says what is stored already, nothing happens.

        Raises:
            IllegalMove, ReportTooLate: nothing but the log line was stored.
            UnknownStatus, ExecutionGone, LedgerBusy: as :meth:`update_status`; nothing was stored.
        """
        try:
            if status is None:
                stored = self.report(progress=progress, results=results)
            elif self.update_status(status, progress=progress, results=results, actor=actor, source=source):
                stored = True
            else:
                stored = not self.has_ended or self._says_so_already(progress, results)
            if not stored:
                ended = self._look(type(self).objects.all())
                raise ReportTooLate(ended, Status(status) if status else None)
        except (IllegalMove, ReportTooLate) as refusal:
            self.log(**line_of_refusal(refusal, status, progress, results))
            raise

    @retries_deadlocks
    def log(self, text: str, level: str) -> "ExecutionLog":
        """Add a line to the execution's log.

        Raises:
            ExecutionGone: it has been deleted.
            LedgerBusy: it is being deleted, and that takes too long; try again.
        """
        try:
            return self.logs.create(text=text, level=level)
        except IntegrityError:
            raise ExecutionGone(f"Execution {self.pk} has been deleted.") from None

    @transaction.atomic
    def take(self, worker: str) -> bool:
        """Give it to ``worker``.

        Returns:
            False when it is not PENDING any more: another worker has it, or it has ended.
        """
        pending = type(self).objects.filter(pk=self.pk, status=Status.PENDING)
        if not pending.update_status(Status.READY, source="worker", reason=f"taken by {worker}"):
            return False
        now = timezone.now()
        columns = {"worker": worker, "dispatched_at": now, "heartbeat_at": now}
        self.status = Status.READY
        return self._store(type(self).objects.all(), columns)

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> StatusLog | None:
        """End the execution on request; the worker stops its process as soon as it sees it."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    def _says_so_already(self, progress: int | None, results: Any) -> bool:
        """Whether a report is what is stored; what it does not mention does not matter."""
        self.refresh_from_db()
        return all(
            getattr(self, name) == value for name, value in columns_of_report(progress, results).items()
        )

    def _lock(self) -> Status:
        """Hold the row for this transaction, and look at what it is now."""
        return self._look(type(self).objects.select_for_update(no_key=True))

    def _look(self, rows: models.QuerySet["Execution"]) -> Status:
        status = rows.filter(pk=self.pk).values_list("status", flat=True).first()
        if status is None:
            raise ExecutionGone(f"Execution {self.pk} has been deleted.")
        self.status = status
        return Status(status)

    def _move(self, status_from: Status, columns: dict[str, Any], note: Note) -> StatusLog | None:
        """Update the status and create the StatusLog, if that is legal and the row has ``status_from``."""
        if columns["status"] not in MOVES[status_from]:
            return None
        log = move_one(Change(self.pk, status_from, columns), note)
        if log:
            self._take_over(columns)
        return log

    def _store(self, rows: models.QuerySet["Execution"], columns: dict[str, Any]) -> bool:
        if not rows.filter(pk=self.pk).update(**columns):
            return False
        self._take_over(columns)
        return True

    def _take_over(self, columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            setattr(self, name, value)


@receiver(pre_delete, sender=Script)
def lock_executions_of_script(instance: Script, **kwargs: Any) -> None:
    """A cascade is about to delete them."""
    instance.executions.lock()


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def lock_executions_of_user(instance: "User", **kwargs: Any) -> None:
    """A cascade is about to delete them."""
    instance.executions.lock()
