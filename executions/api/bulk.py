"""Many executions by one request: in chunks, each a transaction, and each with a fate of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from executions.models import Execution, ExecutionQuerySet, Report
from gef_project.accounts.models import User
from gef_project.accounts.permissions import IsUser
from gef_project.common.errors import BadRequest, TooLarge
from gef_project.common.handlers import error_body
from gef_project.common.retrying import briefly
from gef_project.common.schema import BODY_ERRORS, data_of, errors
from status.exceptions import LedgerBusy

from .bulk_serializers import (
    CancelledManySerializer,
    CancelManySerializer,
    OutcomeSerializer,
    OwnReportSerializer,
)

MOST_REPORTS = 5000
# Executions whose rows are held, and the ledger with them, until their transaction ends.
CHUNK = 500
# No chunk is begun later than this many seconds after the first: clients hang up after 30 s, and one that has
# to wait for the ledger may take 20 s.
TIME_TO_BEGIN = 10

T = TypeVar("T")


def in_chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows, ``CHUNK`` at a time, until it is too late to begin another one."""
    latest = time.monotonic() + TIME_TO_BEGIN
    for start in range(0, len(rows), CHUNK):
        if time.monotonic() > latest:
            return
        yield rows[start : start + CHUNK]


class ReportMany:
    """``PATCH`` of the list of executions."""

    request: Request
    _attribution: Callable[[], dict[str, Any]]

    @extend_schema(
        operation_id="report_executions",
        summary="Report of many executions",
        description="A list of reports, each as for a single execution, with the execution's `id`: at most "
        f"{MOST_REPORTS}. For staff. The answer has a result for each report, in the same order, with the "
        "`status` that a request of its own would have got; a report that is refused does not stop the "
        "others, and is kept as a line of its execution's log. Reports of the same execution are applied in "
        f"their order. They are stored in transactions of {CHUNK}; when the ledger is busy for too long, the "
        "results of that transaction are 503 `busy`: send those reports again.",
        request=OwnReportSerializer(many=True),
        responses={200: data_of(OutcomeSerializer, many=True), **errors(*BODY_ERRORS)},
    )
    def report_many(self, request: Request) -> Response:
        bodies = request.data
        if not isinstance(bodies, list):
            raise BadRequest("Send a list of reports.", "invalid")
        if len(bodies) > MOST_REPORTS:
            raise TooLarge(f"A list may have {MOST_REPORTS} reports.")
        read = [_read(body) for body in bodies]
        reports = [one for one in read if isinstance(one, Report)]
        refusals = iter(self._accept(reports))
        errors = [next(refusals) if isinstance(one, Report) else one for one in read]
        return Response({"data": [_outcome(*pair) for pair in zip(bodies, errors, strict=True)]})

    def _accept(self, reports: Sequence[Report]) -> list[Exception | None]:
        """For each report what refused it, or that nobody could look at it."""
        busy = LedgerBusy("The status ledger is busy; send this report again.")
        refusals: list[Exception | None] = [busy] * len(reports)
        waiting: set[UUID] = set()
        for places in in_chunks(range(len(reports))):
            # What comes after a report that was not looked at must not overtake it.
            chunk = [place for place in places if reports[place].execution_id not in waiting]
            try:
                given = briefly(Execution.objects.accept_reports)(
                    [reports[place] for place in chunk], **self._attribution()
                )
            except LedgerBusy:
                waiting |= {reports[place].execution_id for place in chunk}
            else:
                for place, refusal in zip(chunk, given, strict=True):
                    refusals[place] = refusal
        return refusals


def _read(body: Any) -> Report | serializers.ValidationError:
    try:
        fields = _own_report.run_validation(body)
    except serializers.ValidationError as error:
        return error
    return Report(fields.pop("id"), **fields)


_own_report = OwnReportSerializer()


def _outcome(body: Any, error: Exception | None) -> dict[str, Any]:
    sent_id = body.get("id") if isinstance(body, dict) else None
    known_id = sent_id if isinstance(sent_id, str) else None
    if error is None:
        return {"id": known_id, "status": 200, "ok": True}
    told = error_body(error)
    return {"id": known_id, "status": told["status"], "ok": False, "error": told}


class CancelManyView(GenericAPIView[Execution]):
    queryset = Execution.objects.all()
    serializer_class = CancelManySerializer
    permission_classes = [IsUser]
    filter_backends = []

    @extend_schema(
        tags=["Executions"],
        operation_id="cancel_executions",
        summary="Cancel the executions that a filter finds",
        description="Of those that have not ended, all that meet every condition; one condition at least "
        "must be given. Users cancel their own only, staff anybody's. Unless `dry_run` is false, nothing "
        "is cancelled, and the answer says how many there are. They are cancelled in transactions of "
        f"{CHUNK}; `remaining` of them were not, since the ledger was busy or the time was over: ask again.",
        request=CancelManySerializer,
        responses={200: data_of(CancelledManySerializer), **errors(*BODY_ERRORS)},
    )
    def post(self, request: Request) -> Response:
        body = CancelManySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = cast(User, request.user)
        found = Execution.objects.visible_to(user).cancellable_by(user).active().filter(body.conditions())
        ids = list(found.order_by("pk").values_list("pk", flat=True))
        dry_run = body.validated_data["dry_run"]
        cancelled, remaining = (0, len(ids)) if dry_run else _cancel(found, ids, user)
        return Response(
            {
                "data": {
                    "dry_run": dry_run,
                    "matched": len(ids),
                    "cancelled": cancelled,
                    "remaining": remaining,
                }
            }
        )


def _cancel(found: ExecutionQuerySet, ids: Sequence[UUID], user: User) -> tuple[int, int]:
    """How many were cancelled, and how many were not looked at; the others have ended by themselves."""
    cancelled, remaining = 0, len(ids)
    for chunk in in_chunks(ids):
        try:
            cancelled += briefly(found.filter(pk__in=chunk).cancel)(actor=user, source="api")
        except LedgerBusy:
            continue
        remaining -= len(chunk)
    return cancelled, remaining
