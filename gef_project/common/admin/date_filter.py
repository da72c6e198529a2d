"""A filter by time that an index serves; Django's ``date_hierarchy`` reads every row for its links."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

START, END = "from", "before"


class DateFilter(admin.ListFilter):
    """From one time on and before another, both in UTC and both optional: by links, or by a form."""

    title = "time"
    template = "common/admin/date_filter.html"
    field: ClassVar[str]

    def __init__(self, request: HttpRequest, params: dict[str, list[str]], *args: Any) -> None:
        super().__init__(request, params, *args)
        for name in (START, END):
            if value := params.pop(name, [""])[-1]:
                self.used_parameters[name] = value
        self.start = self._time(START)
        self.end = self._time(END)

    def _time(self, name: str) -> datetime | None:
        value = self.used_parameters.get(name)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def expected_parameters(self) -> list[str | None]:
        return [START, END]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.start:
            queryset = queryset.filter(**{f"{self.field}__gte": self.start})
        if self.end:
            queryset = queryset.filter(**{f"{self.field}__lt": self.end})
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        # The form carries what the other filters have.
        others = changelist.get_filters_params()
        if changelist.query:
            others = others | {SEARCH_VAR: [changelist.query]}
        self.others = [
            (name, value) for name, values in others.items() if name not in {START, END} for value in values
        ]
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for display, days in (("Any time", None), ("Today", 0), ("Past 7 days", 7), ("Past 30 days", 30)):
            start = None if days is None else (today - timedelta(days)).isoformat()
            yield {
                "selected": self.used_parameters == ({START: start} if start else {}),
                "query_string": changelist.get_query_string({START: start, END: None}),
                "display": display,
            }
