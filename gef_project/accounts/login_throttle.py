"""How fast somebody may try passwords.

Failures are counted per address and account, and per address over all accounts; never per account alone, so
that nobody can lock an account by failing on purpose: all workers share one. After some failures the next
attempt has to wait, twice as long after each further one. An hour without a failure resets the count.
Attempts that were told to wait are not checked, and not counted.

Where the right password was given within the last day, it is taken at any time, and failures do not count:
a worker with an old password does not keep the others out. So somebody who shares the address of a user of
the account is slowed down by the password's hash only.

The count is read before the password is checked and written after it. So a burst may exceed the limit by as
many attempts as the server checks at once.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from gef_project.common.errors import TooManyAttempts

from .models import FAILURES_EXPIRE_AFTER, TRUSTED_FOR, LoginAttempts, User

FREE = 10  # failures of an address with one account that cost no wait
FREE_FOR_ALL = 100  # and with all accounts: many people may share an address
MAX_WAIT = timedelta(minutes=15)
TRUST_RENEWED_AFTER = timedelta(hours=1)  # so that a log-in for every report is not a write for every log-in

EVERY_ACCOUNT = ""


class ThrottledModelBackend(ModelBackend):
    """Django's own backend behind the throttle, so that every way to log in with a password has the limit."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The active user with this email and password.

        A wrong email takes as long as a wrong password: Django hashes the password anyway.

        Raises:
            TooManyAttempts: nothing has been checked.
        """
        email = kwargs.get(User.USERNAME_FIELD, username)
        if email is None or password is None:
            return None
        address = BaseThrottle().get_ident(cast(Request, request)) if request else ""
        attempt = LoginAttempt(address, email)
        if wait := attempt.wait():
            raise TooManyAttempts(wait)
        user = super().authenticate(request, email, password)
        if user is None:
            attempt.failed()
        else:
            attempt.succeeded()
        return user


class LoginAttempt:
    """One attempt to log in, from before the password is checked until the result is known."""

    def __init__(self, address: str, email: str) -> None:
        self._address = network(address)
        self._account = hashlib.sha256(email.strip().lower().encode()).hexdigest()
        rows = LoginAttempts.objects.filter(address=self._address, account__in=[self._account, EVERY_ACCOUNT])
        self._rows = {row.account: row for row in rows}

    def wait(self) -> timedelta:
        """How long the password is not to be checked."""
        if self._succeeded_within(TRUSTED_FOR):
            return timedelta()
        return max(map(_wait_after, self._rows.values()), default=timedelta())

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


def _wait_after(attempts: LoginAttempts) -> timedelta:
    """How long until the next attempt."""
    too_many = attempts.failures - (FREE_FOR_ALL if attempts.account == EVERY_ACCOUNT else FREE)
    now = timezone.now()
    if too_many < 0 or attempts.failed_at is None or attempts.failed_at < now - FAILURES_EXPIRE_AFTER:
        return timedelta()
    pause = min(timedelta(seconds=2 ** min(too_many, 10)), MAX_WAIT)
    return max(attempts.failed_at + pause - now, timedelta())


def network(address: str) -> str:
    """What one client can send from: an IPv4 address, or an IPv6 network of 2^64; empty if it is neither."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))
