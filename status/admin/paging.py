"""A list of the ledger that costs the same with ten million rows: ids have no gaps, so they are the count."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest

from gef_project.common.admin.date_filter import END, START, DateFilter
from status.models import StatusLog

# How many rows a filter without an index may look through: some tens of milliseconds.
LOOKED_THROUGH = 200_000


def has_every_row(request: HttpRequest) -> bool:
    """Whether nothing but a period narrows the list, so that its ids have no gaps."""
    names = {name for name, value in request.GET.items() if value or name != SEARCH_VAR}
    return names <= {START, END, PAGE_VAR, ERROR_FLAG}


def ids_of_period(start: datetime | None, end: datetime | None) -> range:
    """The ids of the rows from ``start`` on and before ``end``; no bound where it is None."""
    kept = StatusLog.objects.aggregate(oldest=Min("id"), newest=Max("id"))
    if kept["oldest"] is None:
        return range(0)

    def first_at(moment: datetime) -> int:
        earlier = StatusLog.objects.filter(timestamp__lt=moment).order_by("-timestamp", "-id")
        last_before: int | None = earlier.values_list("id", flat=True).first()
        return kept["oldest"] if last_before is None else last_before + 1

    return range(
        first_at(start) if start else kept["oldest"],
        first_at(end) if end else kept["newest"] + 1,
    )


class LedgerDateFilter(DateFilter):
    field = "timestamp"

    @cached_property
    def ids(self) -> range:
        return ids_of_period(self.start, self.end)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(id__gte=self.ids.start, id__lt=self.ids.stop)


class LedgerPaginator(Paginator):
    """Pages of rows without gaps, newest first: each is a range of ids."""

    object_list: QuerySet[Any]

    @cached_property
    def ids(self) -> range:
        kept = self.object_list.order_by().aggregate(oldest=Min("id"), newest=Max("id"))
        return range(kept["oldest"], kept["newest"] + 1) if kept["oldest"] else range(0)

    @cached_property
    def count(self) -> int:
        return len(self.ids)

    def page(self, number: int | str) -> Page[Any]:
        number = self.validate_number(number)
        ids = self.ids[::-1][(number - 1) * self.per_page : number * self.per_page]
        rows = self.object_list.filter(id__range=(ids[-1], ids[0])) if ids else self.object_list.none()
        return Page(rows, number, self)


class LedgerChangeList(ChangeList):
    """The newest rows first, and the newest of the period only where a filter has no index."""

    looked_through = LOOKED_THROUGH
    looked_from: int | None = None  # the oldest row that was looked at, when the period has older ones

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[StatusLog]:
        queryset = super().get_queryset(request, *args, **kwargs)
        if has_every_row(request) or self.query:
            return queryset
        period = next(spec for spec in self.filter_specs if isinstance(spec, LedgerDateFilter))
        if len(period.ids) <= LOOKED_THROUGH:
            return queryset
        self.looked_from = period.ids[-LOOKED_THROUGH]
        return queryset.filter(id__gte=self.looked_from)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-id"]

    def older_query_string(self) -> str:
        """The same list for the rows before :attr:`looked_from`, from the end of its second on."""
        moment = StatusLog.objects.values_list("timestamp", flat=True).get(id=self.looked_from)
        end = moment.replace(microsecond=0, tzinfo=None) + timedelta(seconds=1)
        return self.get_query_string({END: end.isoformat()})
