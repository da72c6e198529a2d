"""A list of the ledger that costs the same with ten million rows.

A page begins at a row, not at a number of rows, so nothing is skipped and new rows move nothing. Ids have no
gaps, so where nothing but a period narrows the list, they are the count and the page. Otherwise the rows are
looked at one by one, so many at most, unless an index leads to them.
"""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from gef_project.common.admin.date_filter import DateFilter
from status.models import StatusLog

from .search import find

AT = "at"  # the row at the top of the page: its id, or a time at which it was the newest
# How many rows a filter without an index may look through: some tens of milliseconds.
LOOKED_THROUGH = 200_000


def ids_of_period(start: datetime | None, end: datetime | None) -> range:
    """The ids of the rows from ``start`` on and before ``end``; no bound where it is None."""
    kept = StatusLog.objects.aggregate(oldest=Min("id"), newest=Max("id"))
    if kept["oldest"] is None:
        return range(0)

    def first_at(time: datetime) -> int:
        earlier = StatusLog.objects.filter(timestamp__lt=time).order_by("-timestamp", "-id")
        last_before: int | None = earlier.values_list("id", flat=True).first()
        return kept["oldest"] if last_before is None else last_before + 1

    return range(
        first_at(start) if start else kept["oldest"],
        first_at(end) if end else kept["newest"] + 1,
    )


def row_at(text: str) -> int | None:
    """The number of the row that a text names by its number or by a time, UTC unless it says otherwise.

    Returns:
        None if there is no such row, or the text is neither.
    """
    if text.isascii() and text.isdecimal():
        number = int(text[:20])
        return number if number in StatusLog.objects.ids_between() else None
    try:
        time = datetime.fromisoformat(text)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    until_then = StatusLog.objects.ids_between(end=time)
    return until_then[-1] if until_then else None


class LedgerDateFilter(DateFilter):
    field = "timestamp"

    @cached_property
    def ids(self) -> range:
        return ids_of_period(self.start, self.end)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(id__gte=self.ids.start, id__lt=self.ids.stop)


class LedgerChangeList(ChangeList):
    """The newest rows first, from one row on."""

    model_admin: Any
    has_every_row: bool  # of its period
    looked_from: int | None = None  # the oldest row that was looked at, when the period has older ones
    row_sought: int | None = None
    notes: list[str]

    def get_filters(self, request: HttpRequest) -> Any:
        """Take no notice of any parameter but those of the filters: no look-up into other columns."""
        classes: Any = self.list_filter
        filters = [filter(request, {}, self.model, self.model_admin) for filter in classes]
        known = {name for filter in filters for name in filter.expected_parameters()}
        self.filter_params = {
            name: values for name, values in self.filter_params.items() if name in known | {SEARCH_VAR, AT}
        }
        return super().get_filters(request)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        lookups: dict[str, Any] = super().get_filters_params(params)
        lookups.pop(AT, None)
        return lookups

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[StatusLog]:
        self.notes = []
        queryset: QuerySet[StatusLog] = super().get_queryset(request, *args, **kwargs)
        self.period = next(spec for spec in self.filter_specs if isinstance(spec, LedgerDateFilter))
        self.query = self.query.strip()
        self.found = find(self.query) if self.query else None
        others: list[Any] = [spec for spec in self.filter_specs if spec is not self.period]
        self.is_filtered = any(spec.value() is not None for spec in others)  # by more than a period
        self.has_every_row = not self.found and not self.is_filtered
        return queryset

    def every_row(self) -> QuerySet[StatusLog]:
        """What the list would have, did it look at every row."""
        rows: QuerySet[StatusLog] = self.queryset
        if self.found:
            rows = rows.filter(self.found.condition)
        return rows.order_by("id")

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-id"]

    def get_results(self, request: HttpRequest) -> None:
        ids = self.period.ids
        if sought := self.params.get(AT, "").strip():
            self._jump(sought)
        below = range(ids.start, min(ids.stop, (self.row_sought or ids.stop) + 1))
        rows, self.older = self._page_of_all(below) if self.has_every_row else self._page_of_some(below)
        self.result_list = self.model_admin.with_runs(rows)
        self.is_newest = below.stop == ids.stop
        self.newer = None
        if self.has_every_row and not self.is_newest:
            self.newer = min(below.stop - 1 + self.list_per_page, ids.stop - 1)
        self.result_count, self.full_result_count = len(rows), len(ids)
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(rows, self.list_per_page)

    def _jump(self, sought: str) -> None:
        self.row_sought = row_at(sought)
        if self.row_sought is None:
            kept = StatusLog.objects.ids_between()
            text = _(
                "There is no row “{sought}”: the log has the rows {first} to {last}, the first of {time}."
            )
            if kept:
                time = StatusLog.objects.values_list("timestamp", flat=True).get(pk=kept[0])
                names = {"first": kept[0], "last": kept[-1], "time": f"{time:%Y-%m-%d %H:%M:%S} UTC"}
                self.notes.append(text.format(sought=sought, **names))

    def _page_of_all(self, ids: range) -> tuple[list[StatusLog], int | None]:
        page = ids[-self.list_per_page :]
        rows = self.queryset.filter(id__gte=page.start, id__lt=page.stop)
        return list(rows), page.start - 1 if page.start > ids.start else None

    def _page_of_some(self, ids: range) -> tuple[list[StatusLog], int | None]:
        """A page, and the row from which the next one goes on."""
        rows = self.queryset
        if self.found and self.found.ids is not None:
            wanted = sorted((pk for pk in self.found.ids if pk in ids), reverse=True)
            rows = rows.filter(id__in=wanted if self.is_filtered else wanted[: self.list_per_page + 1])
        else:
            looked = ids[-LOOKED_THROUGH:]
            rows = rows.filter(id__gte=looked.start, id__lt=looked.stop)
            if self.found:
                rows = rows.filter(self.found.condition)
            if looked.start > ids.start:
                self.looked_from = looked.start
        page = list(rows[: self.list_per_page + 1])
        if len(page) > self.list_per_page:
            self.looked_from = None
            return page[:-1], page[-1].pk
        return page, self.looked_from - 1 if self.looked_from else None

    def link_to(self, row: int | None) -> str:
        return self.get_query_string({AT: row})

    @property
    def older_link(self) -> str:
        return self.link_to(self.older)

    @property
    def newer_link(self) -> str:
        return self.link_to(self.newer)

    @property
    def newest_link(self) -> str:
        """The filters alone."""
        return self.link_to(None)

    def selects(self) -> list[dict[str, Any]]:
        """The filters with choices, for a form; an empty value chooses all."""
        others: list[Any] = [spec for spec in self.filter_specs if spec is not self.period]
        return [
            {
                "name": spec.parameter_name,
                "title": spec.title,
                "choices": [
                    ("", _("All"), spec.value() is None),
                    *((value, title, value == spec.value()) for value, title in spec.lookup_choices),
                ],
            }
            for spec in others
        ]

    @property
    def looked_through(self) -> int:
        return LOOKED_THROUGH

    @property
    def oldest_link(self) -> str:
        ids = self.period.ids
        return self.link_to(ids[: self.list_per_page][-1] if ids else None)
