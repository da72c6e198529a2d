"""Executions: runs of scripts. Only ``update_status``, here and in their queryset, changes a status."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from executions import dispatch
from executions.fields import DatabaseTimeField, VerbatimJSONField
from gef_project.common.locking import retry_deadlocks
from status.exceptions import ExecutionGone, IllegalTransition
from status.models import StatusLog
from status.states import ACTIVE, INITIAL, TERMINAL, TRANSITIONS, Status, in_order

from .queryset import ExecutionQuerySet
from .reports import Report
from .script import Script
from .transitions import TRANSITION, Attribution, Change, parse_status, update_one

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .log import ExecutionLog


class Execution(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    script = models.ForeignKey(
        Script,
        models.CASCADE,
        related_name="executions",
        db_index=False,  # execution_newest_of_script serves
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="executions",
        db_index=False,  # execution_open_first_of_user serves
    )
    params = VerbatimJSONField(default=dict, blank=True)
    results = VerbatimJSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=INITIAL, editable=False)
    # The terminal status once there is one. Unlike the status it is set but once, so that it can be indexed.
    outcome = models.GeneratedField(
        expression=Case(When(status__in=in_order(TERMINAL), then=F("status"))),
        output_field=models.CharField(max_length=10, choices=Status, null=True),
        db_persist=True,
    )
    progress = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    # All times are the database's: start_date is the creation, started_at when it last became RUNNING.
    start_date = DatabaseTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    end_date = models.DateTimeField(null=True, blank=True, editable=False)
    queued_at = DatabaseTimeField(null=True, blank=True, editable=False)
    dispatched_at = models.DateTimeField(null=True, blank=True, editable=False)
    worker = models.CharField(max_length=255, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    attempt = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)
    # Not before this time; then the monitor queues it.
    run_after = models.DateTimeField(null=True, blank=True, editable=False)
    # Bytes of the run's file of output that are in the log.
    log_position = models.BigIntegerField(default=0, db_default=0, editable=False)
    # The e-mail about the end: when it was sent, when it is due again, how often it was tried, what was in
    # the way the last time. One that was tried and has neither time is given up.
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    notify_after = models.DateTimeField(null=True, blank=True, editable=False)
    notify_attempts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    notify_error = models.TextField(blank=True, default="", db_default="", editable=False)

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
            # The newest of one script, and of one end, in the admin.
            models.Index(fields=["script", "-start_date", "-id"], name="execution_newest_of_script"),
            models.Index(
                fields=["outcome", "-start_date", "-id"],
                name="execution_newest_of_outcome",
                condition=Q(outcome__isnull=False),
            ),
            # No index depends on the status: so a transition that is no end touches none of them.
            # What the monitor and the clean-up look through: the few that have not ended.
            models.Index(fields=["start_date", "id"], name="execution_active", condition=Q(end_date=None)),
            # Those that ended lately, and whose owner has not been told.
            models.Index(
                fields=["end_date"],
                name="execution_unannounced",
                condition=Q(end_date__isnull=False, notified_at=None),
            ),
            # Those whose e-mail was tried and will be tried again.
            models.Index(
                fields=["notify_after"],
                name="execution_notify_after",
                condition=Q(notify_after__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(progress__range=(0, 100)), name="execution_progress_percent"),
            models.CheckConstraint(
                condition=Q(status__in=in_order(TERMINAL), end_date__isnull=False)
                | Q(status__in=in_order(ACTIVE), end_date__isnull=True),
                name="execution_end_date_when_ended",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @retry_deadlocks
    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)

    @retry_deadlocks
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return super().delete(*args, **kwargs)

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def duration(self) -> timedelta:
        """From creation to the end, or to now."""
        end: datetime = self.end_date or timezone.now()
        duration: timedelta = end - self.start_date
        return duration

    @retry_deadlocks
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
        """Change the status and write the row of the status log, in one transaction.

        A terminal status sets ``end_date``, and ``progress`` to 100 unless one is given. If the execution has
        this status already, progress and results are still stored, unless the status is terminal.

        Returns:
            The row of the status log, or None when the execution has that status already.

        Raises:
            UnknownStatus: ``new_status`` is not in the vocabulary.
            IllegalTransition: the execution cannot go from its present status to this one.
            ExecutionGone: it has been deleted.
            LedgerBusy: another transaction was in the way for too long; try again.
        """
        change = Change(self.pk, parse_status(new_status), progress, results)
        attribution = Attribution(actor, source, reason)
        log = self.update_from(Status(self.status), change, attribution)
        if log is None:
            # Illegal from the status that this instance knows, or the row has another status by now.
            current = self.lock()
            if change.status == current:
                self.report(progress=progress, results=results)
                return None
            log = self.update_from(current, change, attribution)
            if log is None:
                raise IllegalTransition(current, parse_status(new_status))
        return log

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> StatusLog | None:
        """End the execution on request; its worker then stops the process within a second or two."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    def report(self, *, progress: int | None = None, results: Any = None) -> bool:
        """Store progress and results of a run that has not ended.

        Returns:
            False when the execution has ended or is gone: then nothing is stored.
        """
        given = {"progress": progress, "results": results}
        columns = {name: value for name, value in given.items() if value is not None}
        return self._store(type(self).objects.active(), columns) if columns else not self.has_ended

    def accept_report(
        self,
        status: str | None = None,
        *,
        progress: int | None = None,
        results: Any = None,
        actor: "User | None" = None,
        source: str = "",
    ) -> None:
        """Store what a run reports; what cannot be stored is kept as a line of the execution's log.

        The final report may come twice: one that says what is stored already changes nothing.

        Raises:
            IllegalTransition, ReportTooLate: only the log line was stored.
            UnknownStatus, ExecutionGone, LedgerBusy: as :meth:`update_status`; nothing was stored.
        """
        report = Report(self.pk, parse_status(status) if status else None, progress, results)
        if self._store_report(report, Attribution(actor, source)):
            return
        [refusal] = type(self).objects.accept_reports([report], actor=actor, source=source)
        if isinstance(refusal, ExecutionGone):
            raise refusal
        self.refresh_from_db(fields=["status", "outcome", "progress", "results", "started_at", "end_date"])
        if refusal:
            raise refusal

    @retry_deadlocks
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

    @retry_deadlocks
    @transaction.atomic
    def claim(self, worker: str) -> bool:
        """Assign the execution to ``worker``, and make it READY.

        Returns:
            False when it is no longer PENDING: another worker has claimed it, or it has ended.
        """
        pending = type(self).objects.filter(pk=self.pk, status=Status.PENDING)
        if not pending.update(worker=worker, dispatched_at=Now(), heartbeat_at=Now()):
            return False
        self.worker = worker
        attribution = Attribution(source="worker", reason=f"claimed by {worker}")
        return self.update_from(Status.PENDING, Change(self.pk, Status.READY), attribution) is not None

    @retry_deadlocks
    @transaction.atomic
    def _store_report(self, report: Report, attribution: Attribution) -> bool:
        """Store the report by one statement, if it is legal and this instance has the present status."""
        change = report.change_from(Status(self.status))
        if not isinstance(change, Change):
            return False
        if change.status is None:
            return self.report(progress=change.progress, results=change.results)
        return self.update_from(Status(self.status), change, attribution) is not None

    def lock(self) -> Status:
        """Lock the row until the end of the transaction, and return its present status."""
        rows = type(self).objects.select_for_update(no_key=True)
        status = rows.filter(pk=self.pk).values_list("status", flat=True).first()
        if status is None:
            raise ExecutionGone(f"Execution {self.pk} has been deleted.")
        self.status = status
        return Status(status)

    def update_from(
        self, current: Status, change: Change, attribution: Attribution, permission: str = TRANSITION
    ) -> StatusLog | None:
        """Change the status if the row still has ``current`` and the transition is legal, or return None.

        As the first statement of an outermost ``atomic`` block it commits at once: let nothing follow it.
        """
        if permission == TRANSITION and change.status not in TRANSITIONS[current]:
            return None
        stored = update_one(change, current, attribution, permission)
        if stored is None:
            return None
        self.status = str(change.status)
        self.started_at, self.end_date, self.progress = stored[1:]
        self.outcome = self.status if self.has_ended else None
        if change.results is not None:
            self.results = change.results
        if self.has_ended and permission == TRANSITION:
            dispatch.send_end_emails([self.pk])
        return stored.log

    def _store(self, rows: models.QuerySet["Execution"], columns: dict[str, Any]) -> bool:
        if not rows.filter(pk=self.pk).update(**columns):
            return False
        for name, value in columns.items():
            setattr(self, name, value)
        return True


@receiver(pre_delete, sender=Script)
def lock_executions_of_script(instance: Script, **kwargs: Any) -> None:
    """Lock them before the cascade deletes them."""
    instance.executions.lock()


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def lock_executions_of_user(instance: "User", **kwargs: Any) -> None:
    """Lock them before the cascade deletes them."""
    instance.executions.lock()
