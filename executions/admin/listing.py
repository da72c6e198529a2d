"""The list of executions: one page of it, at the same cost however many there are.

A page begins after the last row of the one before (its *place*), so none is skipped or counted. Of what
narrows a list, one thing leads: an index has its rows in the list's order. The other things are checked row
by row, in the first ``LOOKED_THROUGH`` rows from the place on; the page says if that was not all.
"""

import heapq
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.http import QueryDict

from executions.models import Execution
from gef_project.common.datetimes import parse_datetime
from status.models import StatusLog
from status.states import Status, count_field

from . import lookups
from .listing_query import Query
from .lookups import NEWEST_FIRST, OLDEST_FIRST, Place

PER_PAGE = 50
MOST_COUNTED = 1_000


@dataclass(frozen=True)
class Page:
    """Rows of a list, the newest first, and the places of its neighbours; None where there is none."""

    rows: list[Execution]
    newer: Place | None
    older: Place | None
    looked_until: datetime | None  # where the rest was not looked through


class Listing:
    """A list, and the page of it that comes after one place, or before another."""

    def __init__(
        self,
        query: Query,
        after: Place | None = None,
        until: Place | None = None,
        per_page: int | None = None,
    ) -> None:
        self.query, self._after, self._until = query, after, until
        self._per_page = per_page or PER_PAGE

    @classmethod
    def of(cls, asked: QueryDict) -> "Listing":
        return cls(Query.of(asked), read_place(asked.get("after", "")), read_place(asked.get("until", "")))

    @cached_property
    def page(self) -> Page:
        forward = self._until is None
        rows, limit = self._rows(self._after or self._until, forward=forward)
        shown = rows[: self._per_page]
        following = place_of(shown[-1]) if len(rows) > self._per_page else None
        looked_until = limit[0] if limit and not following else None
        following = following or limit
        if forward:
            preceding = place_of(shown[0]) if shown and self._after else self._after
            return Page(lookups.with_reasons(shown), preceding, following, looked_until)
        shown.reverse()
        return Page(
            lookups.with_reasons(shown),
            following,
            place_of(shown[-1]) if shown else self._until,
            looked_until,
        )

    @property
    def newer_url(self) -> str:
        return self.query.url(until=write_place(self.page.newer)) if self.page.newer else ""

    @property
    def older_url(self) -> str:
        return self.query.url(after=write_place(self.page.older)) if self.page.older else ""

    def _rows(self, place: Place | None, *, forward: bool) -> tuple[list[Execution], Place | None]:
        """One more than a page, from the place on, and how far was looked if that was not to the end."""
        order = NEWEST_FIRST if forward else OLDEST_FIRST
        found, limits = [], []
        for source in self.query.sources(place, order):
            bound = source.bound(place, order)
            found.append(list(source.rows(place, order, bound)[: self._per_page + 1]))
            if bound:
                limits.append(bound)
        merged = heapq.merge(*found, key=place_of, reverse=forward)
        unique = list({row.pk: row for row in merged}.values())
        limit = (max if forward else min)(limits) if limits else None
        if limit:  # what one source has beyond another's bound comes with the next page
            beyond = max if forward else min
            unique = [row for row in unique if beyond(place_of(row), limit) == place_of(row)]
        return unique[: self._per_page + 1], limit

    def counts(self) -> dict[str, str]:
        """Of each status, for the tabs: exact of all, else as far as is looked; none of a search."""
        if self.query.search:
            return {}
        if not self.query.is_narrow:
            newest = StatusLog.objects.newest()
            return {status: f"{getattr(newest, count_field(status)):,}" for status in Status}
        [source] = replace(self.query, status=None).sources()
        counted, is_cut = source.counts()
        return {status: said(counted[status], is_cut=is_cut) for status in Status}


def said(count: int, *, is_cut: bool) -> str:
    if count >= MOST_COUNTED:
        return f"{MOST_COUNTED:,}+"
    return f"{count:,}+" if is_cut else f"{count:,}"


def place_of(row: Execution) -> Place:
    return row.start_date, row.pk


def write_place(place: Place | None) -> str:
    return f"{place[0].isoformat()}_{place[1]}" if place else ""


def read_place(text: str) -> Place | None:
    time, _, pk = text.partition("_")
    try:
        return parse_datetime(time), UUID(pk)
    except ValueError:
        return None
