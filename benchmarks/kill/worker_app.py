"""The project's Celery application; what its worker has done is noted: ``celery -A`` this."""

import os
from pathlib import Path
from typing import Any

from celery.signals import task_success

from gef_project.celery import app

__all__ = ["app"]

MOVES = [(None, "PENDING"), ("PENDING", "READY"), ("READY", "RUNNING"), ("RUNNING", "FINISHED")]


@task_success.connect  # type: ignore[untyped-decorator]  # Celery has no types
def note(sender: Any, **kwargs: Any) -> None:
    """A run has ended: then all of its moves are acknowledged.

    Not if the server died while it was given to the worker: then nobody knows whose it is, and the monitor
    ends it.
    """
    # Once Django is set up, which a worker does by itself.
    from executions.models import Execution

    from .notes import Notebook

    if sender.name != "executions.tasks.run_execution":
        return
    [execution_id] = sender.request.args
    if Execution.objects.get(pk=execution_id).has_ended:
        rows = [{"status_from": status_from, "status_to": status_to} for status_from, status_to in MOVES]
        Notebook(Path(os.environ["NOTES"])).add(execution_id, rows)
