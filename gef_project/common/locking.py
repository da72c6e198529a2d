"""Locks for the methods that write the ledger: they wait for a bounded time, and no caller sees a deadlock.

Every writer locks its rows first, in key order, and then the ledger, until its transaction ends. So single
changes do not deadlock. But a transaction with several changes holds the ledger while it waits for its next
row, and the holder of that row may be waiting for the ledger. PostgreSQL then fails one of the two.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg import errors
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from .exceptions import LedgerBusy

P = ParamSpec("P")
T = TypeVar("T")


def _is_deadlock(error: BaseException) -> bool:
    # A decorated method inside of this one has translated the error already.
    cause = error.__cause__ if isinstance(error, LedgerBusy) else error
    return cause is not None and isinstance(cause.__cause__, errors.DeadlockDetected)


_retrying = Retrying(
    retry=retry_if_exception(_is_deadlock),
    stop=stop_after_attempt(5),
    wait=wait_random(max=0.2),
    reraise=True,
)


@contextmanager
def translate_lock_errors() -> Iterator[None]:
    """Raise :class:`LedgerBusy` where the database reports a lock timeout or a deadlock."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
            raise LedgerBusy("The status ledger is busy; try again.") from error
        raise


def retry_deadlocks(method: Callable[P, T]) -> Callable[P, T]:
    """Retry if this transaction was the deadlock victim, and the method is a transaction of its own.

    Raises:
        LedgerBusy: it waited for a lock for longer than ``lock_timeout``; or a deadlock has ended the
            transaction around the method, which only the caller can retry.
    """

    @wraps(method)
    def retried(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)  # outside of the retrying, which would cost every call
        except (OperationalError, LedgerBusy) as error:
            with translate_lock_errors():
                if connection.in_atomic_block or not _is_deadlock(error):
                    raise
                return _retrying(method, *args, **kwargs)

    return retried
