"""Patience for tasks: what fails because others are in the way is tried again, a bounded number of times."""

from django.db import InterfaceError, OperationalError, close_old_connections
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from status.exceptions import LedgerBusy


def _reconnect(state: RetryCallState) -> None:
    close_old_connections()  # those that have failed


# Seconds between attempts: random, up to 0.5, 1, 2, 4, 8, 10, 10. So half a minute for a database that is
# restarted, and, since each attempt may wait for LOCK_TIMEOUT, longer for a ledger that is busy.
patiently = retry(
    retry=retry_if_exception_type((LedgerBusy, OperationalError, InterfaceError)),
    wait=wait_random_exponential(multiplier=0.5, max=10),
    stop=stop_after_attempt(8),
    before_sleep=_reconnect,
    reraise=True,
)
