"""Report of many executions, or cancel many, by one request, in chunks, each in a transaction."""

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
from gef_project.common.retrying import retry_briefly
from gef_project.common.schema import BODY_ERRORS, data_of, errors
from status.exceptions import LedgerBusy

from .bulk_serializers import (
    CancelledManySerializer,
    CancelManySerializer,
    OutcomeSerializer,
    OwnReportSerializer,
)

MAX_REPORTS = 5000
# Executions for each transaction, which locks their rows and the ledger until it ends.
CHUNK = 500
# Seconds after which no further chunk is started: clients hang up after 30 s, and a chunk that has to wait
# for the ledger may take 20 s.
TIME_TO_START = 10

T = TypeVar("T")


def in_chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows, ``CHUNK`` at a time, until ``TIME_TO_START`` is over."""
    latest = time.monotonic() + TIME_TO_START
    for start in range(0, len(rows), CHUNK):
        if time.monotonic() > latest:
            return
        yield rows[start : start + CHUNK]


class BulkReportMixin:
    """Adds ``PATCH`` to the list of executions."""

    request: Request
    _attribution: Callable[[], dict[str, Any]]

    @extend_schema(
        operation_id="report_executions",
        summary="Report of many executions",
        description="A list of reports, each as for a single execution, with the execution's `id`: at most "
        f"{MAX_REPORTS}. For staff. The response has a result for each report, in the same order, with the "
        "`status` that a single request would have got. A report that is refused does not stop the others, "
        "and is kept as a line of its execution's log. Reports of the same execution are applied in their "
        f"order. They are stored in transactions of {CHUNK}; if the ledger is busy for too long, the results "
        "of that transaction are 503 `busy`: send those reports again.",
        request=OwnReportSerializer(many=True),
        responses={200: data_of(OutcomeSerializer, many=True), **errors(*BODY_ERRORS)},
    )
    def report_many(self, request: Request) -> Response:
        bodies = request.data
        if not isinstance(bodies, list):
            raise BadRequest("Send a list of reports.", "invalid")
        if len(bodies) > MAX_REPORTS:
            raise TooLarge(f"A list may have {MAX_REPORTS} reports.")
        parsed = [_parse(body) for body in bodies]
        refusals = iter(self._accept([one for one in parsed if isinstance(one, Report)]))
        errors = [next(refusals) if isinstance(one, Report) else one for one in parsed]
        return Response({"data": [_outcome(*pair) for pair in zip(bodies, errors, strict=True)]})

    def _accept(self, reports: Sequence[Report]) -> list[Exception | None]:
        """For each report why it was refused, if it was; ``LedgerBusy`` if it was not processed."""
        busy = LedgerBusy("The status ledger is busy; send this report again.")
        refusals: list[Exception | None] = [busy] * len(reports)
        postponed: set[UUID] = set()
        for indexes in in_chunks(range(len(reports))):
            # A later report must not overtake one of the same execution that was not processed.
            chunk = [index for index in indexes if reports[index].execution_id not in postponed]
            try:
                given = retry_briefly(Execution.objects.accept_reports)(
                    [reports[index] for index in chunk], **self._attribution()
                )
            except LedgerBusy:
                postponed |= {reports[index].execution_id for index in chunk}
            else:
                for index, refusal in zip(chunk, given, strict=True):
                    refusals[index] = refusal
        return refusals


def _parse(body: Any) -> Report | serializers.ValidationError:
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
    content = error_body(error)
    return {"id": known_id, "status": content["status"], "ok": False, "error": content}


class CancelManyView(GenericAPIView[Execution]):
    queryset = Execution.objects.all()
    serializer_class = CancelManySerializer
    permission_classes = [IsUser]
    filter_backends = []

    @extend_schema(
        tags=["Executions"],
        operation_id="cancel_executions",
        summary="Cancel all executions that match a filter",
        description="Cancels the executions that have not ended and that meet every given condition; at "
        "least one condition is required. Users cancel only their own, staff anybody's. Unless `dry_run` is "
        "false, nothing is cancelled, and the response says how many would be. They are cancelled in "
        f"transactions of {CHUNK}; `remaining` of them were not, since the ledger was busy or the time was "
        "over: ask again.",
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
    """How many were cancelled, and how many were not processed; the others had ended already."""
    cancelled, remaining = 0, len(ids)
    for chunk in in_chunks(ids):
        try:
            cancelled += retry_briefly(found.filter(pk__in=chunk).cancel)(actor=user, source="api")
        except LedgerBusy:
            continue
        remaining -= len(chunk)
    return cancelled, remaining
