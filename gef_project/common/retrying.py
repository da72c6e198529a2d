"""What failed because others were in the way is tried again: a bounded number of times, at random moments."""

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from status.exceptions import LedgerBusy


def _worth_it(error: BaseException, *kinds: type[Exception]) -> bool:
    """Inside a transaction it is not: that has failed as a whole, and only its owner can do it again."""
    return isinstance(error, kinds) and not connection.in_atomic_block


def _reconnect(state: RetryCallState) -> None:
    close_old_connections()  # those that have failed


# While a client waits, which hangs up after 30 s. Each attempt may wait for LOCK_TIMEOUT.
briefly = retry(
    retry=retry_if_exception(lambda error: _worth_it(error, LedgerBusy)),
    wait=wait_random_exponential(multiplier=0.05, max=1),
    stop=stop_after_attempt(4) | stop_after_delay(12),
    reraise=True,
)

# In tasks. Seconds between attempts: random, up to 0.5, 1, 2, 4, 8, 10, 10. So half a minute for a database
# that is restarted, and, since each attempt may wait for LOCK_TIMEOUT, longer for a ledger that is busy.
patiently = retry(
    retry=retry_if_exception(lambda error: _worth_it(error, LedgerBusy, OperationalError, InterfaceError)),
    wait=wait_random_exponential(multiplier=0.5, max=10),
    stop=stop_after_attempt(8),
    before_sleep=_reconnect,
    reraise=True,
)
