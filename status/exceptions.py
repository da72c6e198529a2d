"""What can go wrong with a change of status, by name."""

from .states import TRANSITIONS, Status, in_order


class StatusChangeError(Exception):
    """A change of status that was not made; nothing of it has been stored."""


class UnknownStatus(StatusChangeError, ValueError):
    """The word is not in the vocabulary."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} is not a status; known are {', '.join(Status)}.")


class IllegalMove(StatusChangeError):
    """An execution cannot go from ``status_from`` to ``status_to``, only to one of ``allowed``."""

    def __init__(self, status_from: Status, status_to: Status) -> None:
        self.status_from = status_from
        self.status_to = status_to
        self.allowed = in_order(TRANSITIONS[status_from])
        allowed = " or ".join(self.allowed) or "nothing: it has ended"
        super().__init__(
            f"An execution cannot go from {status_from} to {status_to}; "
            f"from {status_from} it can go to {allowed}."
        )


class ReportTooLate(StatusChangeError):
    """The execution has ended, and what is reported of it is not what was stored then.

    ``status_to`` is the status that was reported, if any.
    """

    def __init__(self, status_from: Status, status_to: Status | None) -> None:
        self.status_from = status_from
        self.status_to = status_to
        super().__init__(f"The execution has ended as {status_from}; what it reports now is only logged.")


class ExecutionGone(StatusChangeError):
    """The execution has been deleted."""


class LedgerBusy(StatusChangeError):
    """Another transaction holds the row or the ledger for too long. Trying again may help."""
