"""Removes the working directories of executions that need them no more."""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from status.states import ACTIVE, Status, in_order

from .models import Execution
from .run import live_runs

AT_ONCE = 500  # directories a query


def remove_finished() -> int:
    """Those of executions that finished, were cancelled, or have been deleted.

    Returns:
        How many directories.
    """
    ended_lately = Q(end_date__gte=timezone.now() - settings.KEEP_DIRECTORIES)
    return _remove_all_but(Q(status__in=[*in_order(ACTIVE), Status.FAILED]) | ended_lately)


def remove_failed() -> int:
    """Those of executions that failed; they are kept for longer, for whoever looks for the cause.

    Returns:
        How many directories.
    """
    failed_lately = Q(end_date__gte=timezone.now() - settings.KEEP_FAILED_DIRECTORIES)
    return _remove_all_but(~Q(status=Status.FAILED) | failed_lately)


def _remove_all_but(kept: Q) -> int:
    """Remove every execution's directory, except those of the executions that ``kept`` selects."""
    removed = 0
    directories = _directories()
    while some := dict(islice(directories, AT_ONCE)):
        for pk in Execution.objects.filter(kept, pk__in=some).values_list("pk", flat=True):
            del some[pk]
        for pk in live_runs():
            some.pop(pk, None)
        for directory in some.values():
            shutil.rmtree(directory, ignore_errors=True)
            removed += not directory.exists()
    return removed


def _directories() -> Iterator[tuple[UUID, Path]]:
    for path in Path(settings.EXECUTIONS_DIR).glob("*/"):
        try:
            yield UUID(path.name), path
        except ValueError:
            continue  # somebody else's
