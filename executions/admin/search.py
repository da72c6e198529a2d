"""What somebody may have typed into the search of executions: an id, a script, a user, a worker, an error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q

from executions.models import Script
from gef_project.accounts.models import User
from status.states import Status

from . import lookups
from .lookups import Place

SHORTEST_ID = 4  # digits
NAMES = 5  # scripts, and users, that begin so
NEWEST_FAILURES = 10_000
AT_ONCE = 500  # failures of a page's query

_FAILED_SO = f"""
    SELECT failure.start_date, failure.id
    FROM (
        SELECT id, start_date FROM executions_execution WHERE outcome = '{Status.FAILED}'
        ORDER BY start_date DESC, id DESC LIMIT {NEWEST_FAILURES}
    ) AS failure
    CROSS JOIN LATERAL (
        SELECT reason FROM status_log
        WHERE execution_id = failure.id AND status_to = '{Status.FAILED}' ORDER BY id DESC LIMIT 1
    ) AS log
    WHERE log.reason ILIKE %s
    ORDER BY failure.start_date DESC, failure.id DESC
"""


@dataclass(frozen=True)
class Alternative:
    """A condition that rows may meet.

    Args:
        has_index: which gives all of its rows in the list's order, or so few that they are sorted.
        is_sorted: they are sorted.
        bound: how far those reach that the condition names, if it does not name all of them.
    """

    condition: Q
    has_index: bool = True
    is_sorted: bool = False
    bound: Place | None = None


class SearchTerm:
    def __init__(self, text: str) -> None:
        self.text = text

    def alternatives(self, place: Place | None, *, forward: bool) -> Iterator[Alternative]:
        """Any of them may hold. A whole id is nothing else.

        Args:
            place: after which rows are looked for, to newer ones unless ``forward``.
        """
        if ids := self._ids():
            yield Alternative(Q(pk__range=ids), is_sorted=True)
            if ids[0] == ids[1]:
                return
        scripts = Script.objects.filter(Q(slug__istartswith=self.text) | Q(name__istartswith=self.text))
        for pk in scripts.order_by("slug").values_list("pk", flat=True)[:NAMES]:
            yield Alternative(Q(script=pk))
        users = User.objects.filter(email__istartswith=self.text).order_by("email")
        for pk in users.values_list("pk", flat=True)[:NAMES]:
            few = lookups.has_few(pk)
            yield Alternative(Q(user=pk), has_index=few, is_sorted=few)
        yield Alternative(Q(worker__startswith=self.text), has_index=False)
        yield self._failed_so(place, forward=forward)

    def _ids(self) -> tuple[UUID, UUID] | None:
        digits = self.text.replace("-", "").lower()
        if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},32}}", digits):
            return None
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))

    def _failed_so(self, place: Place | None, *, forward: bool) -> Alternative:
        """Of the newest failures those whose reason in the ledger has the text."""
        pattern = re.sub(r"([\\%_])", r"\\\1", self.text)
        with connection.cursor() as cursor:
            cursor.execute(_FAILED_SO, [f"%{pattern}%"])
            found: list[Place] = cursor.fetchall()
        if not forward:
            found.reverse()
        if place:
            found = [one for one in found if (one < place if forward else one > place)]
        some = found[:AT_ONCE]
        bound = some[-1] if len(found) > AT_ONCE else None
        condition = Q(pk__in=[pk for _, pk in some])
        if some:  # a plan that reads in the list's order begins and ends with them
            times = [at for at, _ in some]
            condition &= Q(start_date__range=(min(times), max(times)))
        return Alternative(condition, is_sorted=True, bound=bound)
