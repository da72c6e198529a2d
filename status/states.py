"""Every status that an execution can have, and every legal transition between them.

Model choices, serializers and the admin use these. The SQL in ``status/migrations/sql`` repeats them: a test
compares the two, and a system check reports a status that has no column in the status log.
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

# For each status, those that an execution may go to. Only a deletion or a repair leaves a terminal status.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.READY, Status.RUNNING}) | TERMINAL,
    Status.READY: frozenset({Status.PENDING, Status.RUNNING}) | TERMINAL,  # PENDING: a worker hands it back
    Status.RUNNING: frozenset({Status.READY}) | TERMINAL,  # READY: it will be run again
    Status.FINISHED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def in_order(statuses: frozenset[Status]) -> list[Status]:
    """The statuses in the order of their definition, for texts that must not vary."""
    return [status for status in Status if status in statuses]


def predecessors_of(status: Status) -> list[Status]:
    """The statuses from which an execution may go to ``status``."""
    return [source for source in Status if status in TRANSITIONS[source]]


def count_field(status: str) -> str:
    """The name of the log's column that counts the executions in ``status``."""
    return f"executions_{status.lower()}"
