"""What narrows the list of executions, and which index leads to what is asked for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.common.datetimes import parse_datetime
from status.states import ACTIVE, TERMINAL, Status

from . import lookups
from .search import SearchTerm

NEWEST_FIRST, OLDEST_FIRST = ("-start_date", "-id"), ("start_date", "id")

Place = tuple[datetime, UUID]


@dataclass(frozen=True)
class Query:
    """What is asked for; a value that cannot be meant is as if it were not given."""

    status: Status | None = None
    script: str = ""
    user: str = ""
    worker: str = ""
    start: datetime | None = None
    before: datetime | None = None
    search: str = ""
    active_only: bool = False  # for those who act on what goes on

    NAMES = ("status", "script", "user", "worker", "from", "before", "q")

    @classmethod
    def of(cls, asked: QueryDict) -> "Query":
        texts = {name: asked.get(name, "").replace("\0", "").strip()[:200] for name in cls.NAMES}
        status = texts["status"].upper()
        return cls(
            Status(status) if status in Status.values else None,
            texts["script"],
            texts["user"],
            texts["worker"],
            _time(texts["from"]),
            _time(texts["before"]),
            texts["q"],
        )

    @property
    def values(self) -> dict[str, str]:
        """As a query string has them."""
        given = {
            "status": self.status or "",
            "script": self.script,
            "user": self.user,
            "worker": self.worker,
            "from": self.start.isoformat() if self.start else "",
            "before": self.before.isoformat() if self.before else "",
            "q": self.search,
        }
        return {name: str(value) for name, value in given.items() if value}

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the status narrows the list."""
        return bool(self.values.keys() - {"status"})

    def url(self, **changes: str) -> str:
        """The query string with these values in place of, or without, the present ones."""
        return "?" + urlencode({name: value for name, value in (self.values | changes).items() if value})

    def chips(self) -> list[tuple[str, str, str]]:
        """What narrows the list but the tab: a label, the value, and the list without it."""
        labels = {
            "script": "Script",
            "user": "User",
            "worker": "Worker",
            "from": "From",
            "before": "Before",
            "q": "Search",
        }
        return [
            (labels[name], value, self.url(**{name: ""}))
            for name, value in self.values.items()
            if name in labels
        ]

    @cached_property
    def condition(self) -> Q:
        """All of it but the search, as an exact condition."""
        found = self._times
        if self.active_only:
            found &= Q(end_date=None)
        if self.status in ACTIVE:
            found &= Q(status=self.status, end_date=None)
        elif self.status:
            found &= Q(outcome=self.status)
        if self.script:
            found &= Q(script=self._script_id)
        if self.user:
            found &= Q(user=self._user_id)
        if self.worker:
            found &= Q(worker__startswith=self.worker)
        return found

    @cached_property
    def _times(self) -> Q:
        found = Q()
        if self.start:
            found &= Q(start_date__gte=self.start)
        if self.before:
            found &= Q(start_date__lt=self.before)
        return found

    @cached_property
    def _script_id(self) -> UUID | None:
        return Script.objects.filter(slug=self.script).values_list("pk", flat=True).first()

    @cached_property
    def _user_id(self) -> UUID | None:
        return User.objects.filter(email__iexact=self.user).values_list("pk", flat=True).first()

    def sources(self) -> Iterator["Source"]:
        """Which together have all that is asked for."""
        leading, is_exact = self._leader()
        if not self.search:
            yield Source(leading & self._times, self.condition, is_exact)
            return
        for found in SearchTerm(self.search).alternatives():
            narrow = found.condition if found.has_index else leading
            yield Source(narrow & self._times, self.condition & found.condition, is_exact=False)

    def _leader(self) -> tuple[Q, bool]:
        """What an index has in the list's order, and whether that is all that is asked for.

        Failures and cancellations are fewer than the runs of a script that one looks for.
        """
        others = bool(self.worker or self.user)
        if self.user and (own := lookups.rows_of_user(self._user_id)):
            return own, True
        if self.active_only and not self.script:
            return Q(end_date=None), not (others or self.status)
        if self.status in TERMINAL and not (self.script and self.status == Status.FINISHED):
            return Q(outcome=self.status), not (others or self.script)
        if self.script:
            return Q(script=self._script_id), not (others or self.status or self.active_only)
        if self.status in ACTIVE:
            return Q(end_date=None), False
        return Q(), not others


@dataclass(frozen=True)
class Source:
    """Rows in the order of an index.

    Args:
        leading: what the index gives.
        condition: what is asked for, of which ``leading`` is a part.
        is_exact: whether nothing is left to check row by row.
    """

    leading: Q
    condition: Q
    is_exact: bool

    def bound(self, place: Place | None, order: tuple[str, str]) -> lookups.Bound:
        leading = Execution.objects.filter(self.leading, _beyond(place, order)).order_by(*order)
        return lookups.bound_of(leading)

    def rows(
        self, place: Place | None, order: tuple[str, str], bound: lookups.Bound | None
    ) -> QuerySet[Execution]:
        found = lookups.rows().filter(self.leading, self.condition, _beyond(place, order))
        if bound and bound.is_cut:
            is_newest_first = order == NEWEST_FIRST
            found = found.filter(**{"start_date__gte" if is_newest_first else "start_date__lte": bound.last})
        return found.order_by(*order)

    def counts(self, bound: lookups.Bound) -> Counter[str]:
        """How many of each status the rows up to the bound have."""
        found = Execution.objects.filter(self.leading, self.condition)
        if bound.is_cut:
            found = found.filter(start_date__gte=bound.last)
        return Counter(
            found.order_by(*NEWEST_FIRST).values_list("status", flat=True)[: lookups.LOOKED_THROUGH]
        )


def _beyond(place: Place | None, order: tuple[str, str]) -> Q:
    """The rows after the place; as one range with a check at its end, which is what an index can seek."""
    if place is None:
        return Q()
    time, pk = place
    if order == NEWEST_FIRST:
        return Q(start_date__lte=time) & (Q(start_date__lt=time) | Q(pk__lt=pk))
    return Q(start_date__gte=time) & (Q(start_date__gt=time) | Q(pk__gt=pk))


def _time(text: str) -> datetime | None:
    try:
        return parse_datetime(text) if text else None
    except ValueError:
        return None
