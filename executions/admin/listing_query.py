"""What narrows the list of executions, and which index leads to what is asked for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.http import QueryDict

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.common.datetimes import parse_datetime
from status.states import ACTIVE, TERMINAL, Status

from . import lookups
from .lookups import NEWEST_FIRST, Order, Place, beyond, up_to
from .search import SearchTerm


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

    def sources(self, place: Place | None = None, order: Order = NEWEST_FIRST) -> Iterator["Source"]:
        """Which together have all that is asked for beyond the place."""
        leading, is_exact, is_sorted = self._leader()
        if not self.search:
            yield Source(leading & self._times, self.condition, is_exact, is_sorted)
            return
        is_alone = not (self.values.keys() - {"q", "from", "before"} or self.active_only)
        for found in SearchTerm(self.search).alternatives(place, forward=order == NEWEST_FIRST):
            narrow = found.condition if found.has_index else leading
            exact = found.is_sorted or (found.has_index and is_alone)
            condition = self.condition & found.condition
            yield Source(narrow & self._times, condition, exact, found.is_sorted, found.bound)

    def _leader(self) -> tuple[Q, bool, bool]:
        """What an index has in the list's order; whether that is all that is asked for; whether it is sorted.

        Failures and cancellations are fewer than the runs of a script that one looks for.
        """
        others = bool(self.worker or self.user)
        if self.user and lookups.has_few(self._user_id):
            return Q(user=self._user_id), True, True
        if self.active_only and not self.script:
            return Q(end_date=None), not (others or self.status), False
        if self.status in TERMINAL and not (self.script and self.status == Status.FINISHED):
            return Q(outcome=self.status), not (others or self.script), False
        if self.script:
            return Q(script=self._script_id), not (others or self.status or self.active_only), False
        if self.status in ACTIVE:
            return Q(end_date=None), False, False
        return Q(), not others, False


@dataclass(frozen=True)
class Source:
    """Rows that an index leads to.

    Args:
        leading: what the index gives, in the list's order unless ``is_sorted``.
        condition: what is asked for, of which ``leading`` is a part.
        is_exact: nothing is left to check row by row, or there are few to check.
        is_sorted: they are few, and another index than that of the list's order finds them.
        given: how far they reach, if that is known.
    """

    leading: Q
    condition: Q
    is_exact: bool
    is_sorted: bool = False
    given: Place | None = None

    def bound(self, place: Place | None, order: Order) -> Place | None:
        """How far the rows are looked through that begin at the place; None: to the end."""
        if self.is_exact:
            return self.given
        return lookups.bound_of(Execution.objects.filter(self.leading, beyond(place, order)), order)

    def rows(self, place: Place | None, order: Order, bound: Place | None) -> QuerySet[Execution]:
        found = lookups.rows().filter(self.leading, self.condition, beyond(place, order), up_to(bound, order))
        if not self.is_sorted:
            return found.order_by(*order)
        # By an expression that no index has, lest the planner walks through everybody's rows in that order.
        time = ExpressionWrapper(F("start_date") + timedelta(), DateTimeField())
        return found.order_by(time.desc(), "-id") if order == NEWEST_FIRST else found.order_by(time, "id")

    def counts(self) -> tuple[Counter[str], bool]:
        """How many of each status the first rows have, and whether there are more."""
        leading = Execution.objects.filter(self.leading)
        bound = None if self.is_sorted else lookups.bound_of(leading, NEWEST_FIRST)
        found = leading.filter(self.condition, up_to(bound, NEWEST_FIRST))
        ordered = found.order_by() if self.is_sorted else found.order_by(*NEWEST_FIRST)
        return Counter(ordered.values_list("status", flat=True)[: lookups.LOOKED_THROUGH]), bound is not None


def _time(text: str) -> datetime | None:
    try:
        return parse_datetime(text) if text else None
    except ValueError:
        return None
