"""Patience with a ledger that is busy."""

from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from status.exceptions import LedgerBusy

# Each attempt waits for locks as long as settings.LOCK_TIMEOUT allows, and clients hang up after 30 s.
patiently = retry(
    retry=retry_if_exception_type(LedgerBusy),
    stop=stop_after_attempt(4) | stop_after_delay(12),
    wait=wait_random_exponential(multiplier=0.05, max=1),
    reraise=True,
)
