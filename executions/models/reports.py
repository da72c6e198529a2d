"""The rules for what runs report, the same for one report and for many in one transaction."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from executions import dispatch
from executions.fields import is_same_json
from status.exceptions import ExecutionGone, IllegalTransition, ReportTooLate, StatusChangeError
from status.states import TERMINAL, TRANSITIONS, Status

from .log import ExecutionLog
from .transitions import Attribution, Change, update_each

if TYPE_CHECKING:
    from .queryset import ExecutionQuerySet


class Report(NamedTuple):
    """A run's status, progress and results; at least one of them is given."""

    execution_id: UUID
    status: str | None = None
    progress: int | None = None
    results: Any = None

    def change_from(self, current: Status) -> Change | StatusChangeError:
        """The change of an execution that has the status ``current``, or why the report is refused.

        A final report that comes again is refused too, so ask :meth:`is_duplicate` first.
        """
        status = Status(self.status) if self.status else None
        if status in (None, current):
            if current in TERMINAL:
                return ReportTooLate(current, status)
            return Change(self.execution_id, None, self.progress, self.results)
        if status not in TRANSITIONS[current]:
            return IllegalTransition(current, status)
        return Change(self.execution_id, status, self.progress, self.results)

    def is_duplicate(self, current: Status, progress: int, results: Any) -> bool:
        """Whether it repeats how the execution has ended; only what the report contains is compared."""
        return (
            self.status == current
            and current in TERMINAL
            and self.progress in (None, progress)
            and (self.results is None or is_same_json(self.results, results))
        )

    def log_line(self, refusal: StatusChangeError) -> ExecutionLog:
        """The line of the execution's log that keeps the whole report when it is refused."""
        given = {"status": self.status, "progress": self.progress, "results": self.results}
        content = json.dumps({name: value for name, value in given.items() if value is not None})
        text = f"{refusal} Reported: {content}"
        return ExecutionLog(execution_id=self.execution_id, text=text, level="WARNING")


def store_reports(
    executions: "ExecutionQuerySet", reports: Sequence[Report], attribution: Attribution
) -> list[StatusChangeError | None]:
    """Do what :meth:`ExecutionQuerySet.accept_reports` promises, inside a transaction."""
    current_status = _lock(executions, {report.execution_id for report in reports})
    refusals: list[StatusChangeError | None] = [None] * len(reports)
    ended: list[UUID] = []
    for places in _rounds(reports):
        changes = []
        ended_before = _ends_reported_again(executions, (reports[place] for place in places), current_status)
        for place in places:
            report = reports[place]
            current = current_status.get(report.execution_id)
            if current is None:
                refusals[place] = ExecutionGone(f"Execution {report.execution_id} has been deleted.")
            elif not report.is_duplicate(current, *ended_before.get(report.execution_id, (0, None))):
                change = report.change_from(current)
                if isinstance(change, Change):
                    changes.append(change)
                else:
                    refusals[place] = change
        if changes:
            update_each(changes, attribution)
        current_status.update((one.execution_id, one.status) for one in changes if one.status)
        ended += [one.execution_id for one in changes if one.status in TERMINAL]
    ExecutionLog.objects.bulk_create(
        report.log_line(refusal)
        for report, refusal in zip(reports, refusals, strict=True)
        if refusal and not isinstance(refusal, ExecutionGone)
    )
    dispatch.send_end_emails(ended)
    return refusals


def _lock(executions: "ExecutionQuerySet", ids: set[UUID]) -> dict[UUID, Status]:
    """Lock these rows, in the order of their keys, and return their statuses."""
    rows = executions.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {pk: Status(status) for pk, status in rows.values_list("pk", "status")}


def _rounds(reports: Sequence[Report]) -> list[list[int]]:
    """The indexes of the reports, in rounds: a round has at most one report of each execution."""
    seen: Counter[UUID] = Counter()
    rounds: dict[int, list[int]] = defaultdict(list)
    for place, report in enumerate(reports):
        rounds[seen[report.execution_id]].append(place)
        seen[report.execution_id] += 1
    return list(rounds.values())


def _ends_reported_again(
    executions: "ExecutionQuerySet", reports: Iterable[Report], current_status: Mapping[UUID, Status]
) -> dict[UUID, tuple[int, Any]]:
    """Progress and results of the executions whose end is reported again."""
    ids = [
        report.execution_id
        for report in reports
        if report.status in TERMINAL and report.status == current_status.get(report.execution_id)
    ]
    rows = executions.filter(pk__in=ids).values_list("pk", "progress", "results") if ids else []
    return {pk: (progress, results) for pk, progress, results in rows}
