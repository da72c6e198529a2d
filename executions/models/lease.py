"""Leases: a machine renews those of its runs; an execution whose lease has ended is lost."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Now


class LeaseClock(models.Model):
    """One row: when any machine has last renewed its leases, and since when that has gone on without a pause.

    While the database, or the network, was away nobody could renew a lease. So none has ended before every
    machine has had time to renew its own. All times are those of the database's clock.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    renewed_at = models.DateTimeField(db_default=Now())
    steady_since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"renewed at {self.renewed_at}, without a pause since {self.steady_since}"

    @classmethod
    def tick(cls) -> None:
        """Note that leases are being renewed."""
        began_anew = When(renewed_at__lt=Now() - cls._pause(), then=Now())
        if not LeaseClock.objects.update(
            renewed_at=Now(), steady_since=Case(began_anew, default=F("steady_since"))
        ):
            LeaseClock.objects.bulk_create([LeaseClock()], ignore_conflicts=True)

    @classmethod
    def is_steady(cls, grace: timedelta) -> bool:
        """Whether leases have been renewed for the whole grace, up to now."""
        return LeaseClock.objects.filter(
            steady_since__lte=Now() - grace, renewed_at__gt=Now() - cls._pause()
        ).exists()

    @staticmethod
    def _pause() -> timedelta:
        return timedelta(seconds=3 * settings.HEARTBEAT_EVERY)
