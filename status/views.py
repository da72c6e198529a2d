import json
from typing import Any, cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import Token

from gef_project.accounts.authentication import BearerAuthentication
from gef_project.accounts.models import User
from gef_project.accounts.permissions import staff_may
from gef_project.common.errors import BadRequest, Gone
from gef_project.common.schema import data_of, errors

from . import server_sent_events as sse
from .feed import BATCH, Row, feed, rows_after
from .models import StatusLog
from .queries import MAX_EXAMINED, StatusQuerySerializer
from .row_json import serialize_rows
from .serializers import PAGE, ROW, BucketsSerializer, StatusLogSerializer, StatusPageSerializer

TRACKING = """
Every change of an execution's status writes one row, in the same transaction as the change: when an
execution is created, at each transition, and when it is deleted. Nothing is polled or sampled, so no
change is missed, and the counts of a row are the true numbers of executions per status right after it,
whatever happened at the same time.

- `id` grows by exactly one from row to row, and `timestamp` never decreases: a client that remembers the
  last `id` has missed nothing.
- `status_from` and `status_to` are the transition: a creation has no `status_from`, a deletion no
  `status_to`. A row with neither is a snapshot: the counts were taken anew, after an upgrade or a repair.
- `executions_pending`, `_ready`, `_running`, `_finished`, `_failed` and `_cancelled` count the
  executions after the change; `executions_active` is the sum of the first three.
- `execution_id` says which execution it was; `actor`, `source` and `reason` say who did it, by what, and why.
- Rows of old versions, which counted every two minutes, come first. They have no transition and an empty
  `source`. How many executions were pending and cancelled was not recorded then: both are 0 in these rows.

For staff only.
"""

READING = f"""
**Pages.** `total` is exact, and a page at any depth costs what the first one costs. `execution_id` finds its
rows by an index too. The other filters look at rows one by one, at most {MAX_EXAMINED:,} of the time in the
order of `sort`; should there be more, `examined_until` says how far they came. Parameters that are not
listed here are ignored.

**Buckets.** With `aggregate=true` and `group_by` there is one bucket for every hour, day, week (from Monday
on) or month of the time zone `tz`, also if nothing happened in it, from the oldest row that is kept until
now. Each is whole, whatever time is asked for. Levels are those at its end; `executions_finished`, `_failed`
and `_cancelled` are how many executions *ended* in it, whether or not they have been deleted since. A repair
of the counts ends nothing. For the time of the old periodic task, which recorded counts and no transitions,
they are by how much the counts have grown: at least so many have ended. Pending and cancelled executions were
not recorded then, and read 0.

**What is new.** With `after` come the rows after that id, oldest first, and `total` is how many there are.
`wait` holds the answer until there is one; an empty list means to ask again. With
`Accept: text/event-stream` they come as a stream of server-sent events, each with the row's `id` and the row
as its data, from `Last-Event-ID`, `after` or now on; a comment every 15 seconds shows that the stream is
alive. It ends with an event `end` that says why (`restarting`, `token_expired`, `gone`): come back with the
last id and a valid token. A client that does so gets every row once, in order, whatever is restarted in
between.
"""

MayRead = staff_may("status.view_statuslog")
EVENT_STREAM = "text/event-stream"
EVENT = sse.STREAM_START + sse.event(Row(316, json.dumps(ROW).encode()))


class EventStreamRenderer(JSONRenderer):
    """Lets clients ask for the stream; what it streams is rendered already."""

    media_type = EVENT_STREAM


@extend_schema(tags=["Status"])
class StatusLogView(APIView):
    permission_classes = [MayRead]
    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @extend_schema(
        operation_id="list_status_log",
        summary="List, follow or add up the changes of status",
        description=TRACKING + READING,
        parameters=[
            StatusQuerySerializer,
            OpenApiParameter(
                "Last-Event-ID",
                int,
                OpenApiParameter.HEADER,
                description="For the stream: the id of the last row that is known. Wins over `after`.",
            ),
        ],
        examples=[
            OpenApiExample("page", PAGE, response_only=True, media_type="application/json"),
        ],
        responses={
            (200, "application/json"): PolymorphicProxySerializer(
                "StatusListOrBuckets", [StatusPageSerializer, BucketsSerializer], None, many=False
            ),
            (200, EVENT_STREAM): OpenApiResponse(
                OpenApiTypes.STR,
                "The stream, or the page or the buckets.",
                [OpenApiExample("event", EVENT.decode())],
            ),
            **{(status, "application/json"): error for status, error in errors(400, 401, 403, 410).items()},
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        streams = request.accepted_renderer.media_type == EVENT_STREAM
        query = StatusQuerySerializer(data=_with_place(request) if streams else request.query_params)
        query.is_valid(raise_exception=True)
        logs = StatusLog.objects.all()
        if streams:
            return self._stream(query)
        if "after" in query.validated_data:
            return self._what_is_new(query)
        return Response(query.buckets_of(logs) if query.validated_data["aggregate"] else query.page_of(logs))

    def handle_exception(self, exc: Exception) -> Response:
        """An error is no stream."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)

    def _what_is_new(self, query: StatusQuerySerializer) -> HttpResponseBase:
        after, per_page = query.validated_data["after"], query.per_page_rows
        total = _rows_to_come(after)
        rows = rows_after(after, per_page)
        body: Any = sse.page(rows, per_page, max(total, len(rows)))
        if not rows and query.wait_seconds and self._can_wait():
            reader = self._reader()
            body = sse.long_poll_page(feed, reader, after, per_page, query.wait_seconds)
            return StreamingHttpResponse(body, content_type="application/json")
        return HttpResponse(body, content_type="application/json")

    def _stream(self, query: StatusQuerySerializer) -> HttpResponseBase:
        after = query.validated_data["after"]
        _rows_to_come(after)
        response: HttpResponseBase
        if self._can_wait():
            response = StreamingHttpResponse(sse.events(feed, self._reader(), after))
        else:
            rows = rows_after(after, BATCH)
            response = HttpResponse(sse.STREAM_START + b"".join(map(sse.event, rows)))
        response["Content-Type"] = EVENT_STREAM
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"  # has nginx pass on every event at once
        return response

    def _can_wait(self) -> bool:
        """Not under ``runserver``, without an event loop: there clients get what there is, and come back."""
        return self.request.method == "GET" and isinstance(self.request._request, ASGIRequest)

    def _reader(self) -> sse.Reader:
        token = cast(Token, self.request.auth)
        return sse.Reader(token["exp"], self._may_still_read)

    def _may_still_read(self) -> bool:
        try:
            caller = BearerAuthentication().authenticate(self.request)
        except APIException:
            return False
        self.request.user = cast(User, caller and caller[0])
        return MayRead().has_permission(self.request, self)


def _with_place(request: Request) -> dict[str, Any]:
    """The parameters, with the place from which a stream is to go on."""
    given: dict[str, Any] = request.query_params.dict()
    if place := request.headers.get("Last-Event-ID"):
        given["after"] = place
    elif "after" not in given:
        given["after"] = StatusLog.objects.newest().pk
    return given


def _rows_to_come(after: int) -> int:
    """How many rows there are after that one.

    Raises:
        BadRequest: there has not been that one yet: it is of another ledger.
        Gone: some of them are no longer kept.
    """
    oldest, newest = StatusLog.objects.earliest("id").pk, StatusLog.objects.newest().pk
    if after > newest:
        raise BadRequest(f"The newest row is {newest}.", "not_yet", newest=newest)
    if after + 1 < oldest:
        text = f"The rows before {oldest} are no longer kept; what is left begins after={oldest - 1}."
        raise Gone(text, oldest=oldest)
    return newest - after


@extend_schema(tags=["Status"])
class CurrentStatusView(APIView):
    permission_classes = [MayRead]

    @extend_schema(
        operation_id="get_current_status",
        summary="Read the live counts",
        description="The newest row: how many executions are in each status now. Its ETag is its id; with "
        "`If-None-Match` an unchanged one answers 304, without a body." + TRACKING,
        parameters=[
            OpenApiParameter(
                "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of the last answer."
            ),
            OpenApiParameter(
                "ETag", str, OpenApiParameter.HEADER, response=[200, 304], description="The row's id, quoted."
            ),
        ],
        responses={
            200: data_of(StatusLogSerializer),
            304: OpenApiResponse(description="Nothing has changed."),
            **errors(401, 403),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        [newest] = serialize_rows(StatusLog.objects.order_by("-id")[:1])
        etag = quote_etag(str(newest["id"]))
        response = get_conditional_response(request._request, etag=etag)
        if response is None:
            response = Response({"data": newest})
        response["ETag"] = etag
        response["Cache-Control"] = "private, no-cache"
        return response
