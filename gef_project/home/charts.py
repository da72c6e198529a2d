"""The home page's chart, as the geometry of an SVG: executions by status over time, and what ended.

Every bucket comes from a few index look-ups (``status.aggregation``). What was before the ledger is a marked
area and no zeros: pending and cancelled executions were not recorded then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from status.aggregation import buckets
from status.buckets import boundaries
from status.models import StatusLog
from status.states import ACTIVE, TERMINAL, Status, count_field, in_order

WIDTH, LEVELS_HEIGHT, ENDS_HEIGHT = 960, 200, 90


@dataclass(frozen=True)
class Range:
    name: str
    label: str
    length: timedelta
    unit: str
    tick: str  # of the axis, as strftime takes it


RANGES = {
    one.name: one
    for one in [
        Range("day", "24 hours", timedelta(days=1), "hour", "%H:%M"),
        Range("week", "7 days", timedelta(days=7), "hour", "%a %d"),
        Range("month", "30 days", timedelta(days=30), "day", "%d %b"),
        Range("year", "A year", timedelta(days=365), "week", "%b %Y"),
    ]
}


@dataclass(frozen=True)
class Area:
    """One status of the stack; ``points`` as a polygon takes them."""

    css: str
    label: str
    points: str


@dataclass(frozen=True)
class Bar:
    css: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Slot:
    """A bucket: where it is, and its row of the table."""

    x: float
    width: float
    start: datetime
    levels: list[int]
    ends: list[int]

    @property
    def text(self) -> str:
        counts = zip([*in_order(ACTIVE), *in_order(TERMINAL)], [*self.levels, *self.ends], strict=True)
        said = ", ".join(f"{Status(status).label.lower()} {count:,}" for status, count in counts)
        return f"{self.start:%d %b %Y %H:%M} UTC: {said}"


class Chart:
    """Ready to be drawn by ``admin/chart.html``."""

    width, levels_height, ends_height = WIDTH, LEVELS_HEIGHT, ENDS_HEIGHT

    def __init__(self, chosen: Range) -> None:
        now = timezone.now()
        self.range = chosen
        self._start = now - chosen.length
        begins = _ledger_begins()
        self.has_rows = begins is not None and begins <= now
        moments: list[datetime] = []
        if begins and self.has_rows:
            moments = boundaries(chosen.unit, max(self._start, begins), now, UTC)
        self._end = moments[-1] if moments else now
        self.unknown_until = self._x(begins) if begins and begins > self._start else 0.0
        self.slots = list(self._slots(moments))
        self.top = max((sum(slot.levels) for slot in self.slots), default=0) or 1
        self.most_ended = max((sum(slot.ends) - slot.ends[1] for slot in self.slots), default=0)
        self.most_failed = max((slot.ends[1] for slot in self.slots), default=0)

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(status.lower(), str(status.label)) for status in [*in_order(ACTIVE), *in_order(TERMINAL)]]

    @property
    def areas(self) -> Iterator[Area]:
        """From the bottom of the stack on: what runs is lowest."""
        floor = [0] * len(self.slots)
        for place, status in reversed(list(enumerate(in_order(ACTIVE)))):
            ceiling = [below + slot.levels[place] for below, slot in zip(floor, self.slots, strict=True)]
            yield Area(status.lower(), str(status.label), self._polygon(floor, ceiling))
            floor = ceiling

    @property
    def bars(self) -> Iterator[Bar]:
        """What ended: finished and cancelled upwards, failed downwards."""
        scale = (ENDS_HEIGHT - 2) / ((self.most_ended + self.most_failed) or 1)
        zero = self.zero
        for slot in self.slots:
            x, width = slot.x + slot.width * 0.1, max(slot.width * 0.8, 1)
            finished, failed, cancelled = (count * scale for count in slot.ends)
            yield Bar("finished", x, zero - finished, width, finished)
            yield Bar("cancelled", x, zero - finished - cancelled, width, cancelled)
            yield Bar("failed", x, zero, width, failed)

    @property
    def zero(self) -> float:
        total = (self.most_ended + self.most_failed) or 1
        return round(1 + (ENDS_HEIGHT - 2) * self.most_ended / total, 1) if self.most_ended else 1.0

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Six places of the axis, and their times in UTC."""
        whole = self._end - self._start
        times = [self._start + whole * part / 6 for part in range(6)]
        return [(self._x(time), time.strftime(self.range.tick)) for time in times]

    def _slots(self, moments: list[datetime]) -> Iterator[Slot]:
        if not moments:
            return
        for bucket, end in zip(buckets(moments), moments[1:], strict=True):
            start = self._x(max(bucket["timestamp"], self._start))
            yield Slot(
                start,
                self._x(end) - start,
                bucket["timestamp"],
                _counts(bucket, ACTIVE),
                _counts(bucket, TERMINAL),
            )

    def _x(self, time: datetime) -> float:
        return round(WIDTH * max((time - self._start) / (self._end - self._start), 0), 1)

    def _polygon(self, floor: Sequence[int], ceiling: Sequence[int]) -> str:
        if not self.slots:
            return ""
        # A level is that at its bucket's end; the first one is also where the line begins.
        xs = [self.slots[0].x, *(slot.x + slot.width for slot in self.slots)]
        above = list(zip(xs, [ceiling[0], *ceiling], strict=True))
        below = list(zip(xs, [floor[0], *floor], strict=True))[::-1]
        return " ".join(f"{x:.1f},{self._y(count)}" for x, count in above + below)

    def _y(self, count: int) -> float:
        return round(LEVELS_HEIGHT - (LEVELS_HEIGHT - 10) * count / self.top, 1)


def _counts(bucket: dict[str, Any], statuses: frozenset[Status]) -> list[int]:
    return [bucket[count_field(status)] for status in in_order(statuses)]


def _ledger_begins() -> datetime | None:
    ids = StatusLog.objects.ids_of_ledger()
    return StatusLog.objects.values_list("timestamp", flat=True).get(pk=ids.start) if ids else None
