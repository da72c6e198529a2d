"""Retries of what failed because others were in the way: a bounded number, after random pauses."""

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)

from .exceptions import LedgerBusy


def _worth_it(error: BaseException, *kinds: type[Exception]) -> bool:
    """Not inside a transaction: that has failed as a whole, and only the code that began it can retry it."""
    return isinstance(error, kinds) and not connection.in_atomic_block


def _reconnect(state: RetryCallState) -> None:
    close_old_connections()  # those that have failed


_busy_or_away = retry_if_exception(
    lambda error: _worth_it(error, LedgerBusy, OperationalError, InterfaceError)
)

# For requests: the client hangs up after 30 s. Each attempt may wait for LOCK_TIMEOUT.
retry_briefly = retry(
    retry=retry_if_exception(lambda error: _worth_it(error, LedgerBusy)),
    wait=wait_random_exponential(multiplier=0.05, max=1),
    stop=stop_after_attempt(4) | stop_after_delay(12),
    reraise=True,
)

# For tasks. The pauses are random, up to 0.5, 1, 2, 4, 8, 10 and 10 s: half a minute while a database
# restarts, and longer while the ledger is busy, since each attempt may wait for LOCK_TIMEOUT.
retry_patiently = retry(
    retry=_busy_or_away,
    wait=wait_random_exponential(multiplier=0.5, max=10),
    stop=stop_after_attempt(8),
    before_sleep=_reconnect,
    reraise=True,
)

# For what nobody else would do: as long as the database is away. The pauses grow to 5 s.
retry_persistently = retry(
    retry=_busy_or_away,
    wait=wait_random_exponential(multiplier=0.2, max=5),
    stop=stop_never,
    before_sleep=_reconnect,
    reraise=True,
)
