"""What the methods that write the ledger do about locks: wait for a bounded time, and never show a deadlock.

Everybody locks rows first, in key order, and then the ledger, until the transaction ends. So single changes
do not deadlock; but a transaction of several changes holds the ledger while it waits for its next row,
whose holder may be waiting for the ledger. PostgreSQL ends that by failing either of the two.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg import errors
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from status.exceptions import LedgerBusy

P = ParamSpec("P")
T = TypeVar("T")


def _lost_a_deadlock(error: BaseException) -> bool:
    # A retried method inside of this one has given it its name.
    cause = error.__cause__ if isinstance(error, LedgerBusy) else error
    return cause is not None and isinstance(cause.__cause__, errors.DeadlockDetected)


_retrying = Retrying(
    retry=retry_if_exception(_lost_a_deadlock),
    stop=stop_after_attempt(5),
    wait=wait_random(max=0.2),
    reraise=True,
)


@contextmanager
def busy_by_name() -> Iterator[None]:
    """Turn what the database says of locks that were not had into :class:`LedgerBusy`."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
            raise LedgerBusy("The status ledger is busy; try again.") from error
        raise


def retries_deadlocks(change: Callable[P, T]) -> Callable[P, T]:
    """Do the change again if it was chosen to end a deadlock, and it is a transaction of its own.

    Raises:
        LedgerBusy: a lock was not had within ``lock_timeout``; or a deadlock has ended the transaction
            around the change, which only its owner can do again.
    """

    @wraps(change)
    def retried(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return change(*args, **kwargs)  # without the retrying, which would cost every change
        except (OperationalError, LedgerBusy) as error:
            with busy_by_name():
                if connection.in_atomic_block or not _lost_a_deadlock(error):
                    raise
                return _retrying(change, *args, **kwargs)

    return retried
