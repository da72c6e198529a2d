"""The status log: one row for each change of an execution's status, with the counts after it."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from gef_project.common.locking import translate_lock_errors

from .states import TERMINAL, Status, in_order

if TYPE_CHECKING:
    from gef_project.accounts.models import User


class Source(models.TextChoices):
    """Where a change of status comes from.

    ``StatusLog.source`` takes any word, so that a new source needs no migration. It may be empty.
    """

    API = "api", "API"  # a client, or the run itself
    ADMIN = "admin", "Admin"  # somebody in the admin
    WORKER = "worker", "Worker"  # the process that runs executions
    MONITOR = "monitor", "Monitor"  # the task that looks for lost workers
    CLEANUP = "cleanup", "Clean-up"  # the task that ends or deletes what is too old
    SHELL = "shell", "Shell"  # somebody by hand
    MIGRATION = "migration", "Migration"  # the first snapshot
    IMPORT = "import", "Import"  # the first snapshot after an import from another service
    IMPORTED = "imported", "Imported"  # a row of that service's own log, from before the ledger
    REPAIR = "repair", "Repair"  # a repair of a status, or a snapshot that states the true counts


# The sources of rows that only count and are no snapshots of the ledger; the old periodic task named none.
BEFORE_LEDGER = ["", Source.IMPORTED.value]


class StatusLogQuerySet(models.QuerySet["StatusLog"]):
    def newest(self) -> "StatusLog":
        """The row with the live counts.

        Raises:
            StatusLog.DoesNotExist: ``manage.py migrate`` has not been run.
        """
        return self.latest("id")

    def after(self, log_id: int) -> Self:
        """The rows after the one with this id, in the order in which they were committed."""
        return self.filter(id__gt=log_id).order_by("id")

    def snapshots(self) -> Self:
        """The ledger's own snapshots: its first row, and every repair."""
        return self.filter(status_from=None, status_to=None).exclude(source__in=BEFORE_LEDGER)

    def ids_of_ledger(self) -> range:
        """The ids of all rows but those from before the ledger, which are the oldest."""
        oldest, newest = self.order_by("id").first(), self.order_by("-id").first()
        if oldest is None or newest is None:
            return range(0)
        first = self.snapshots().order_by("id").first() if oldest.precedes_ledger else oldest
        return range(first.pk, newest.pk + 1) if first else range(0)

    def ids_between(self, start: datetime | None = None, end: datetime | None = None) -> range:
        """The ids of all rows from ``start`` to ``end``, both included, by two index look-ups.

        Ids have no gaps and grow with time. So the length of the range is the number of rows, and a page of
        them is a slice of the range.
        """
        oldest_first = self.order_by("timestamp", "id")
        newest_first = self.order_by("-timestamp", "-id")
        if start:
            oldest_first = oldest_first.filter(timestamp__gte=start)
        if end:
            newest_first = newest_first.filter(timestamp__lte=end)
        first, last = (ids.values_list("id", flat=True).first() for ids in (oldest_first, newest_first))
        return range(first, last + 1) if first and last else range(0)

    def with_ids(self, ids: range) -> Self:
        """The rows with these consecutive ids, in the direction of the range."""
        if not ids:
            return self.none()
        low, high = sorted((ids[0], ids[-1]))
        return self.filter(id__range=(low, high)).order_by("id" if ids.step > 0 else "-id")

    def append_snapshot(self, *, actor: "User | None" = None, source: str, reason: str = "") -> "StatusLog":
        """Count all executions, and append a row with the counts that is no transition."""
        values = [actor.pk if actor else None, source, reason]
        with translate_lock_errors():
            [row] = self.raw("SELECT * FROM append_status_snapshot(%s, %s, %s)", values)
        return row


class StatusLog(models.Model):
    """A row of the ledger. Only the database's triggers write it: see docs/ledger.md.

    ``id`` grows by exactly one in the order of commits, and ``timestamp`` never decreases. The counts
    are those after the row's own transition. A row without ``status_from`` is a creation, one without
    ``status_to`` a deletion, and one without either a snapshot. ``execution`` and ``actor`` keep their ids
    when the execution or the user is deleted.
    """

    id = models.BigAutoField(primary_key=True)
    timestamp = models.DateTimeField(db_default=Now(), editable=False)
    execution = models.ForeignKey(
        "executions.Execution",
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="status_logs",
    )
    status_from = models.CharField(max_length=10, choices=Status, null=True, blank=True)
    status_to = models.CharField(max_length=10, choices=Status, null=True, blank=True)
    executions_pending = models.IntegerField(db_default=0)
    executions_ready = models.IntegerField(db_default=0)
    executions_running = models.IntegerField(db_default=0)
    executions_finished = models.IntegerField(db_default=0)
    executions_failed = models.IntegerField(db_default=0)
    executions_cancelled = models.IntegerField(db_default=0)
    executions_active = models.IntegerField(db_default=0)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    source = models.CharField(max_length=20, blank=True, db_default="")
    reason = models.TextField(blank=True, db_default="")

    objects = StatusLogQuerySet.as_manager()

    class Meta:
        db_table = "status_log"
        ordering = ["-id"]
        indexes = [
            # The newest row at a given time.
            models.Index(fields=["timestamp", "id"], name="status_log_timestamp"),
            # The history of an execution.
            models.Index(
                fields=["execution", "id"],
                name="status_log_execution",
                condition=models.Q(execution__isnull=False),
            ),
            # Ended executions that were deleted or repaired, for aggregation.py.
            models.Index(
                fields=["timestamp", "id"],
                include=["status_from", "status_to"],
                name="status_log_end_undone",
                condition=models.Q(status_from__in=in_order(TERMINAL)),
            ),
            # The snapshots, among them the first row of the ledger.
            models.Index(
                fields=["id"],
                name="status_log_snapshot",
                condition=models.Q(status_from__isnull=True, status_to__isnull=True)
                & ~models.Q(source__in=BEFORE_LEDGER),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status_from__isnull=True)
                | models.Q(status_to__isnull=True)
                | ~models.Q(status_from=models.F("status_to")),
                name="status_log_status_changes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.status_from or '-'} → {self.status_to or '-'}"

    @property
    def is_periodic(self) -> bool:
        """Whether the periodic task of old versions wrote the row; those rows are older than all others."""
        return self.status_from is None and self.status_to is None and not self.source

    @property
    def precedes_ledger(self) -> bool:
        """Whether it is from before the ledger, of the periodic task or imported: never checked."""
        return self.is_periodic or self.source == Source.IMPORTED
