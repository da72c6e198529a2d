"""A simple model of executions and their status log, with which tests compare the real ones."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count

from executions.models import Execution
from status.models import StatusLog

STATUSES = ["PENDING", "READY", "RUNNING", "FINISHED", "FAILED", "CANCELLED"]
ENDS = {"FINISHED", "FAILED", "CANCELLED"}
TRANSITIONS = {
    "PENDING": {"READY", "RUNNING"} | ENDS,
    "READY": {"RUNNING"} | ENDS,
    "RUNNING": {"READY"} | ENDS,
}
COUNTS = [f"executions_{status.lower()}" for status in STATUSES]


class Row(NamedTuple):
    execution: UUID | None
    status_from: str | None
    status_to: str | None
    counts: list[int]  # in the order of STATUSES


@dataclass
class KnownExecution:
    status: str = "PENDING"
    progress: int = 0
    results: Any = field(default_factory=dict)
    lines: int = 0  # of its log

    @property
    def has_ended(self) -> bool:
        return self.status in ENDS

    def store(self, progress: int | None, results: Any) -> None:
        self.progress = self.progress if progress is None else progress
        self.results = self.results if results is None else results


class ReferenceModel:
    """Executions, and the rows of their status log.

    A method that can be refused returns the name of the exception, or else "changed" or "stored".
    """

    def __init__(self) -> None:
        self.executions: dict[UUID, KnownExecution] = {}
        self.rows: list[Row] = []
        self._newest_before = StatusLog.objects.newest().id

    def copy(self) -> "ReferenceModel":
        return deepcopy(self)

    def create(self, ids: Iterable[UUID]) -> None:
        for pk in sorted(ids):
            self.executions[pk] = KnownExecution()
            self._log(pk, None, "PENDING")

    def delete(self, ids: Iterable[UUID]) -> None:
        for pk in sorted(set(ids) & self.executions.keys()):
            self._log(pk, self.executions.pop(pk).status, None)

    def snapshot(self) -> None:
        self.rows.append(Row(None, None, None, self._counts()))

    def update_status(self, pk: UUID, status: str, progress: int | None = None, results: Any = None) -> str:
        if status not in STATUSES:
            return "UnknownStatus"
        if not (known := self.executions.get(pk)):
            return "ExecutionGone"
        if status == known.status:
            self.report(pk, progress, results)
            return "stored"
        if status not in TRANSITIONS.get(known.status, ()):
            return "IllegalTransition"
        status_from, known.status = known.status, status
        if known.has_ended:
            known.progress = 100
        known.store(progress, results)
        self._log(pk, status_from, status)
        return "changed"

    def update_many(self, statuses: set[str], status: str, progress: int | None = None) -> int:
        outcomes = [
            self.update_status(pk, status, progress)
            for pk, known in sorted(self.executions.items())
            if known.status in statuses and known.status != status
        ]
        return outcomes.count("changed")

    def report(self, pk: UUID, progress: int | None, results: Any = None) -> bool:
        known = self.executions.get(pk)
        if not known or known.has_ended:
            return False
        known.store(progress, results)
        return True

    def accept_report(self, pk: UUID, status: str | None, progress: int | None, results: Any) -> str:
        before = deepcopy(self.executions.get(pk))
        if status:
            outcome = self.update_status(pk, status, progress, results)
        elif before:
            outcome = "stored" if self.report(pk, progress, results) else "ReportTooLate"
        else:
            outcome = "ExecutionGone"
        if before and before.has_ended and outcome == "stored":
            repeated = deepcopy(before)
            repeated.store(progress, results)
            outcome = "stored" if repeated == before else "ReportTooLate"
        if outcome in ("IllegalTransition", "ReportTooLate"):
            self.executions[pk].lines += 1
        return outcome

    def check(self) -> None:
        """Assert that the database has the executions and rows of this model."""
        logs = list(StatusLog.objects.after(self._newest_before))
        assert [log.id - self._newest_before for log in logs] == list(range(1, len(self.rows) + 1))
        assert [
            Row(log.execution_id, log.status_from, log.status_to, [getattr(log, name) for name in COUNTS])
            for log in logs
        ] == self.rows
        executions = Execution.objects.annotate(lines=Count("logs"))
        columns = executions.values_list("pk", "status", "progress", "results", "lines")
        assert {pk: KnownExecution(*known) for pk, *known in columns} == self.executions

    def _log(self, pk: UUID, status_from: str | None, status_to: str | None) -> None:
        self.rows.append(Row(pk, status_from, status_to, self._counts()))

    def _counts(self) -> list[int]:
        statuses = [known.status for known in self.executions.values()]
        return [statuses.count(status) for status in STATUSES]
