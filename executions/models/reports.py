"""Many reports in one transaction, each treated as :meth:`Execution.accept_report` treats a single one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import transaction

from executions import dispatch
from gef_project.common.locking import retries_deadlocks
from status.exceptions import ExecutionGone, IllegalMove, ReportTooLate, StatusChangeError
from status.states import MOVES, TERMINAL, Status

from .execution import Execution, line_of_refusal
from .log import ExecutionLog
from .transitions import Change, Note, change_each, columns_of_move, columns_of_report

if TYPE_CHECKING:
    from gef_project.accounts.models import User


class Report(NamedTuple):
    """What a run says of itself: one of the last three at least."""

    execution_id: UUID
    status: str | None = None
    progress: int | None = None
    results: Any = None


@retries_deadlocks
@transaction.atomic
def accept_reports(
    reports: Sequence[Report], *, actor: "User | None" = None, source: str = ""
) -> list[StatusChangeError | None]:
    """Store each report, or keep it as a line of its execution's log when it cannot be stored.

    Reports of the same execution are applied in their order.

    Returns:
        For each report, in their order, what refused it; None when it is stored.

    Raises:
        LedgerBusy: nothing of any report was stored.
    """
    standing = _lock({report.execution_id for report in reports})
    refusals: list[StatusChangeError | None] = [None] * len(reports)
    ended: list[UUID] = []
    for places in _rounds(reports):
        repeats = _ends_told_again((reports[place] for place in places), standing)
        changes = []
        for place in places:
            report = reports[place]
            refusals[place] = refusal = _refusal(report, standing.get(report.execution_id), repeats)
            if refusal is None and report.execution_id not in repeats:
                changes.append(_change(report, standing[report.execution_id]))
        if changes:
            change_each(changes, Note(actor, source))
        standing.update((one.execution_id, Status(one.columns["status"])) for one in changes if one.moves)
        ended += [one.execution_id for one in changes if one.moves and one.columns["status"] in TERMINAL]
    _keep(reports, refusals)
    dispatch.send_end_emails(ended)
    return refusals


def _lock(ids: set[UUID]) -> dict[UUID, Status]:
    """Hold these rows, in key order like everybody, and see where they stand."""
    rows = Execution.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {pk: Status(status) for pk, status in rows.values_list("pk", "status")}


def _rounds(reports: Sequence[Report]) -> list[list[int]]:
    """The places of the reports, by rounds: one execution's reports each in a round of their own."""
    seen: Counter[UUID] = Counter()
    rounds: dict[int, list[int]] = defaultdict(list)
    for place, report in enumerate(reports):
        rounds[seen[report.execution_id]].append(place)
        seen[report.execution_id] += 1
    return list(rounds.values())


def _ends_told_again(
    reports: Iterable[Report], standing: Mapping[UUID, Status]
) -> dict[UUID, dict[str, Any]]:
    """What is stored of the executions whose end is reported once more."""
    ids = [
        report.execution_id
        for report in reports
        if report.status in TERMINAL and report.status == standing.get(report.execution_id)
    ]
    rows = Execution.objects.filter(pk__in=ids).values("pk", "progress", "results") if ids else []
    return {row.pop("pk"): row for row in rows}


def _refusal(
    report: Report, present: Status | None, repeats: Mapping[UUID, dict[str, Any]]
) -> StatusChangeError | None:
    if present is None:
        return ExecutionGone(f"Execution {report.execution_id} has been deleted.")
    if stored := repeats.get(report.execution_id):
        told = columns_of_report(report.progress, report.results)
        known = all(stored[name] == value for name, value in told.items())
        return None if known else ReportTooLate(present, present)
    reported = Status(report.status) if report.status else None
    if reported is None or reported == present:
        return ReportTooLate(present, reported) if present in TERMINAL else None
    return None if reported in MOVES[present] else IllegalMove(present, reported)


def _change(report: Report, present: Status) -> Change:
    if report.status is None or report.status == present:
        return Change(report.execution_id, present, columns_of_report(report.progress, report.results))
    columns = columns_of_move(Status(report.status), report.progress, report.results)
    return Change(report.execution_id, present, columns)


def _keep(reports: Sequence[Report], refusals: Sequence[StatusChangeError | None]) -> None:
    """Log what was refused of the executions that are there."""
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution_id=report.execution_id,
            **line_of_refusal(refusal, report.status, report.progress, report.results),
        )
        for report, refusal in zip(reports, refusals, strict=True)
        if isinstance(refusal, IllegalMove | ReportTooLate)
    )
