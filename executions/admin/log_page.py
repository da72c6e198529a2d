"""The log lines of an execution on its page: the newest, older ones on demand, new ones as they come."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import QueryDict

from executions.models import Execution, ExecutionLog
from executions.models.log import Level

from .display import ROWS, log_lines

LAST_ERRORS = 5


@dataclass(frozen=True)
class Lines:
    """Some lines, in their order, and how to get at those before and after them."""

    rows: list[ExecutionLog]
    level: str
    find: str
    oldest: int | None  # the id of the first, if there are older ones
    newest: int  # the id of the last that is known

    @classmethod
    def of(cls, execution: Execution, asked: QueryDict) -> "Lines":
        level = asked.get("level", "").upper()
        level = level if level in Level.values else ""
        find = asked.get("find", "").replace("\0", "").strip()[:200]
        found = log_lines(execution)
        if level:
            found = found.filter(level=level)
        if find:
            found = found.filter(text__icontains=find)
        if (after := _number(asked.get("after", ""))) is not None:
            new = list(found.filter(id__gt=after).order_by("id")[:ROWS])
            return cls(new, level, find, None, new[-1].pk if new else after)
        if before := _number(asked.get("before", "")):
            found = found.filter(id__lt=before)
        rows = list(found.order_by("-id")[: ROWS + 1])
        shown = rows[:ROWS][::-1]
        return cls(
            shown, level, find, shown[0].pk if len(rows) > ROWS else None, shown[-1].pk if shown else 0
        )

    @property
    def levels(self) -> list[str]:
        return list(Level.values)


def last_errors(execution: Execution) -> list[ExecutionLog]:
    errors = log_lines(execution).filter(level__in=[Level.ERROR, Level.CRITICAL])
    return list(errors.order_by("-id")[:LAST_ERRORS])[::-1]


def as_text(execution: Execution) -> Iterator[str]:
    """Every line, with its time and level; read from the database in pieces."""
    for line in execution.logs.order_by("id").iterator(chunk_size=2_000):
        yield f"{line.register_date.isoformat()} {line.level} {line.text}\n"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
