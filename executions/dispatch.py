"""Hand work to Celery once the transaction has committed.

Tasks are named, not imported, since they import the models that call this. A broker that is down never
fails the change that was committed; the monitor hands out again what was not.
"""

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from celery import current_app
from django.db import transaction

EMAILS_A_TASK = 500


def run_execution(execution_id: UUID) -> None:
    """Have a worker run it."""
    _after_commit("executions.tasks.run_execution", str(execution_id))


def send_end_emails(execution_ids: Iterable[UUID]) -> None:
    """Have the owners told that these have ended."""
    ids = map(str, execution_ids)
    while some := list(islice(ids, EMAILS_A_TASK)):
        _after_commit("executions.tasks.send_end_emails", some)


def _after_commit(task: str, *args: object) -> None:
    def send() -> None:  # named: Django's report of a failure asks for its name
        current_app.send_task(task, args=args, retry=False)

    transaction.on_commit(send, robust=True)
