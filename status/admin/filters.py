"""What narrows the list of the ledger: choices from fixed vocabularies, none of them read from the table."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from status.models import Source
from status.states import Status

EVENTS = {
    "creation": Q(status_from=None) & ~Q(status_to=None),
    "move": ~Q(status_from=None) & ~Q(status_to=None),
    "deletion": ~Q(status_from=None) & Q(status_to=None),
    "snapshot": Q(status_from=None, status_to=None),
}


class _Filter(admin.SimpleListFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(self.condition(value))

    def condition(self, value: str) -> Q:
        return Q((self.parameter_name, value))


class EventFilter(_Filter):
    title = parameter_name = "event"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in EVENTS]

    def condition(self, value: str) -> Q:
        return EVENTS.get(value, Q(pk=None))


class FromFilter(_Filter):
    title = "status before"
    parameter_name = "status_from"

    def lookups(self, *args: Any) -> Any:
        return Status.choices


class ToFilter(_Filter):
    title = "status after"
    parameter_name = "status_to"

    def lookups(self, *args: Any) -> Any:
        return Status.choices


class SourceFilter(_Filter):
    title = parameter_name = "source"

    def lookups(self, *args: Any) -> Any:
        return [*Source.choices, ("", "Not named")]
