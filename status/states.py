"""The vocabulary: every status that an execution can have, and every move between them.

All other copies (model choices, triggers, serializers, admin) are made from this one.
"""

from collections.abc import Mapping

from django.db import models


class Status(models.TextChoices):
    PENDING = "PENDING", "Pending"  # accepted, not handed to a worker yet
    READY = "READY", "Ready"  # handed to a worker, not started yet
    RUNNING = "RUNNING", "Running"  # a worker is computing
    FINISHED = "FINISHED", "Finished"  # done, results stored
    FAILED = "FAILED", "Failed"  # ended with an error, or its worker was lost
    CANCELLED = "CANCELLED", "Cancelled"  # ended on request


INITIAL = Status.PENDING
TERMINAL = frozenset({Status.FINISHED, Status.FAILED, Status.CANCELLED})
ACTIVE = frozenset(Status) - TERMINAL

# From each status, where an execution may go. A terminal status is left only by deletion.
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.READY, Status.RUNNING}) | TERMINAL,
    Status.READY: frozenset({Status.RUNNING}) | TERMINAL,
    Status.RUNNING: frozenset({Status.READY}) | TERMINAL,  # back to READY: its worker was restarted
    Status.FINISHED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def in_order(statuses: frozenset[Status]) -> list[Status]:
    """The given statuses in the order of the vocabulary, for texts that must not vary."""
    return [status for status in Status if status in statuses]


def sources_of(status: Status) -> list[Status]:
    """The statuses from which an execution may move to ``status``."""
    return [source for source in Status if status in MOVES[source]]


def count_field(status: Status) -> str:
    """The name of the log's column that counts the executions in ``status``."""
    return f"executions_{status.lower()}"
