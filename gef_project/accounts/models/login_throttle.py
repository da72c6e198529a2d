"""How fast somebody may try passwords.

Failures are counted for an address with an account, and for an address with all accounts; never for an
account alone, so that nobody locks an account by failing on purpose: all workers share one. After some
failures the next attempt has to wait, twice as long after each further one. An hour without a failure
makes up for all. Attempts that were told to wait are not checked, and not counted.

Where the right password was given within the last day, it is taken at any time, and failures do not count:
a worker with an old password does not keep the others out. So who shares the address of an account's own
user is slowed down by the password's hash only.

The count is read before, and written after the password is checked, so a burst may go too far by as many
attempts as the server checks at once.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, When
from django.utils import timezone

FREE = 10  # failures of an address with one account that cost no wait
FREE_FOR_ALL = 100  # and with all accounts: many people may share an address
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
TRUSTED_FOR = timedelta(days=1)
TRUST_RENEWED_AFTER = timedelta(hours=1)  # so that a log-in for every report is not a write for every log-in

EVERY_ACCOUNT = ""


class LoginAttemptsQuerySet(models.QuerySet["LoginAttempts"]):
    def idle(self) -> Self:
        """Those that say nothing any more."""
        before = timezone.now() - TRUSTED_FOR
        return self.exclude(Q(failed_at__gte=before) | Q(succeeded_at__gte=before))

    def count_failure(self, address: str, account: str) -> None:
        now = timezone.now()
        row, new = self.get_or_create(
            address=address, account=account, defaults={"failures": 1, "failed_at": now}
        )
        if not new:
            forgotten = When(failed_at__lt=now - FORGOTTEN_AFTER, then=1)
            failures = Case(forgotten, default=F("failures") + 1)
            self.filter(pk=row.pk).update(failures=failures, failed_at=now)


class LoginAttempts(models.Model):
    address = models.CharField(max_length=64)
    # A digest: what was typed there may be a password.
    account = models.CharField(max_length=64)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)

    objects = LoginAttemptsQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "account"], name="login_attempts_of")]

    def __str__(self) -> str:
        return f"{self.address}: {self.failures} failures"

    def wait(self) -> timedelta:
        """How long until the next attempt."""
        too_many = self.failures - (FREE_FOR_ALL if self.account == EVERY_ACCOUNT else FREE)
        now = timezone.now()
        if too_many < 0 or self.failed_at is None or self.failed_at < now - FORGOTTEN_AFTER:
            return timedelta()
        pause = min(timedelta(seconds=2 ** min(too_many, 10)), LONGEST_WAIT)
        return max(self.failed_at + pause - now, timedelta())


class Attempt:
    """One attempt to log in, from before the password is checked until it is known whether it was right."""

    def __init__(self, address: str, email: str) -> None:
        self._address = network(address)
        self._account = hashlib.sha256(email.strip().lower().encode()).hexdigest()
        rows = LoginAttempts.objects.filter(address=self._address, account__in=[self._account, EVERY_ACCOUNT])
        self._rows = {row.account: row for row in rows}

    def wait(self) -> timedelta:
        """How long the password is not to be checked."""
        if self._succeeded_within(TRUSTED_FOR):
            return timedelta()
        return max((row.wait() for row in self._rows.values()), default=timedelta())

    def failed(self) -> None:
        if not self._succeeded_within(TRUSTED_FOR):
            for account in (self._account, EVERY_ACCOUNT):
                LoginAttempts.objects.count_failure(self._address, account)

    def succeeded(self) -> None:
        if not self._succeeded_within(TRUST_RENEWED_AFTER):
            LoginAttempts.objects.update_or_create(
                address=self._address,
                account=self._account,
                defaults={"succeeded_at": timezone.now(), "failures": 0},
            )

    def _succeeded_within(self, time: timedelta) -> bool:
        row = self._rows.get(self._account)
        succeeded_at: datetime | None = row.succeeded_at if row else None
        return succeeded_at is not None and succeeded_at > timezone.now() - time


def network(address: str) -> str:
    """What one client can send from: an IPv4 address, but of IPv6 a network of 2^64; else nothing."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))
