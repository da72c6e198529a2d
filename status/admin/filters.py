"""What narrows the list of the ledger: choices from fixed vocabularies, none of them read from the table."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from status.models import Source
from status.states import Status

EVENTS = {
    "creation": (_("Creation"), Q(status_from=None) & ~Q(status_to=None)),
    "transition": (_("Transition"), ~Q(status_from=None) & ~Q(status_to=None)),
    "deletion": (_("Deletion"), ~Q(status_from=None) & Q(status_to=None)),
    "snapshot": (_("Snapshot"), Q(status_from=None, status_to=None)),
}

NOT_NAMED = "none"


class _Filter(admin.SimpleListFilter):
    """A value that is no choice is as good as none."""

    def value(self) -> str | None:
        value = super().value()
        known = {str(choice) for choice, _title in self.lookup_choices}
        return value if value in known else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(self.condition(value))

    def condition(self, value: str) -> Q:
        return Q((self.parameter_name, value))


class EventFilter(_Filter):
    title = _("event")
    parameter_name = "event"

    def lookups(self, *args: Any) -> Any:
        return [(name, title) for name, (title, _condition) in EVENTS.items()]

    def condition(self, value: str) -> Q:
        return EVENTS[value][1]


class FromFilter(_Filter):
    title = _("status before")
    parameter_name = "status_from"

    def lookups(self, *args: Any) -> Any:
        return Status.choices


class ToFilter(_Filter):
    title = _("status after")
    parameter_name = "status_to"

    def lookups(self, *args: Any) -> Any:
        return Status.choices


class SourceFilter(_Filter):
    title = _("source")
    parameter_name = "source"

    def lookups(self, *args: Any) -> Any:
        return [*Source.choices, (NOT_NAMED, _("Not named"))]

    def condition(self, value: str) -> Q:
        return Q(source="" if value == NOT_NAMED else value)
