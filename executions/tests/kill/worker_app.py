"""The project's Celery application, which records the runs that its worker ends: ``celery -A`` this."""

import os
from pathlib import Path
from typing import Any

from celery.signals import task_success

from gef_project.celery import app

__all__ = ["app"]

TRANSITIONS = [(None, "PENDING"), ("PENDING", "READY"), ("READY", "RUNNING"), ("RUNNING", "FINISHED")]


@task_success.connect  # type: ignore[untyped-decorator]  # Celery has no types
def record(sender: Any, **kwargs: Any) -> None:
    """Once a run has ended, all of its transitions are acknowledged.

    A run that has not ended here was lost while PostgreSQL was down: the monitor will end it.
    """
    # Models can be imported once the worker has set Django up.
    from executions.models import Execution

    from .journal import Journal

    if sender.name != "executions.tasks.run_execution":
        return
    [execution_id] = sender.request.args
    if Execution.objects.get(pk=execution_id).has_ended:
        rows = [{"status_from": before, "status_to": after} for before, after in TRANSITIONS]
        Journal(Path(os.environ["JOURNAL"])).add(execution_id, rows)
