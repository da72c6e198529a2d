"""What the operators' tools store for other processes."""

from django.db import models
from django.utils import timezone

from status.verification import counts_fault


class CountCheckManager(models.Manager["CountCheck"]):
    def run(self) -> "CountCheck":
        """Compare the ledger's newest row with the executions, and store the result.

        It counts the executions in one statement, so it is exact whatever is being written, and since it only
        reads, no writer waits for it. Its cost grows with the table.
        """
        started = timezone.now()
        fault = counts_fault()
        values = {"checked_at": started, "fault": str(fault or "")}
        return self.update_or_create(pk=CountCheck.ONLY, defaults=values)[0]

    def last(self) -> "CountCheck | None":
        return self.filter(pk=CountCheck.ONLY).first()


class CountCheck(models.Model):
    """The last comparison of the ledger's newest row with the true counts: one row.

    It is in the database because a worker makes it and web processes report it.
    """

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY)
    checked_at = models.DateTimeField()
    fault = models.TextField(blank=True, help_text="Empty: the counts were true.")

    objects = CountCheckManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="count_check_only_one")]

    def __str__(self) -> str:
        return self.fault or "true"
