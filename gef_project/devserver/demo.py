"""One execution of each example, so that there is something to see."""

import time
from uuid import UUID

from examples.catalogue import EXAMPLES
from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.exceptions import IllegalTransition
from status.models import StatusLog
from status.states import Status


class Demo:
    def __init__(self, user: User) -> None:
        self._user = user
        self._cancel_after: dict[UUID, float] = {}  # seconds of running
        self._cancel_at: dict[UUID, float] = {}

    def submit(self) -> None:
        for example in EXAMPLES:
            script = Script.objects.get(slug=example.slug)
            execution = script.run(self._user, example.params, source="shell", reason="example")
            if example.cancel_after is not None:
                self._cancel_after[execution.pk] = example.cancel_after

    def schedule_cancellation(self, row: StatusLog) -> None:
        """Once an execution that is to be cancelled is running, set the time for it."""
        if row.status_to == Status.RUNNING and row.execution_id in self._cancel_after:
            seconds = self._cancel_after.pop(row.execution_id)
            self._cancel_at[row.execution_id] = time.monotonic() + seconds

    def cancel_due(self) -> None:
        """Cancel those whose time has come."""
        for execution_id, due in list(self._cancel_at.items()):
            if time.monotonic() >= due:
                self._cancel(execution_id)
                del self._cancel_at[execution_id]

    def _cancel(self, execution_id: UUID) -> None:
        execution = Execution.objects.filter(pk=execution_id).first()
        try:
            if execution:
                execution.cancel(actor=self._user, source="shell", reason="example of a cancellation")
        except IllegalTransition:
            pass  # it has ended by itself
