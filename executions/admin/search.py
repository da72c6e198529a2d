"""What somebody may have typed into the search of executions: an id, a script, a user, a worker, an error."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.models import StatusLog
from status.states import Status

from . import lookups

SHORTEST_ID = 4  # digits
NAMES = 10  # scripts and users that begin so
NEWEST_FAILURES = 10_000


class Alternative(NamedTuple):
    condition: Q
    has_index: bool  # which gives its rows without those that only the rest of a list's query excludes


class SearchTerm:
    def __init__(self, text: str) -> None:
        self.text = text

    def alternatives(self) -> Iterator[Alternative]:
        """Conditions any of which may hold.

        The beginning of an id is that of nothing else; anything else is looked for everywhere.
        """
        if ids := self._ids():
            yield Alternative(Q(pk__range=ids), True)
            if ids[0] == ids[1]:
                return
        scripts = Script.objects.filter(Q(slug__istartswith=self.text) | Q(name__istartswith=self.text))
        for pk in scripts.order_by("slug").values_list("pk", flat=True)[:NAMES]:
            yield Alternative(Q(script=pk), True)
        users = User.objects.filter(email__istartswith=self.text).order_by("email")
        for pk in users.values_list("pk", flat=True)[:NAMES]:
            own = lookups.rows_of_user(pk)
            yield Alternative(own or Q(user=pk), own is not None)
        yield Alternative(Q(worker__startswith=self.text), False)
        if failed := self._failed_so():
            yield Alternative(Q(pk__in=failed), True)

    def _ids(self) -> tuple[UUID, UUID] | None:
        digits = self.text.replace("-", "").lower()
        if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},32}}", digits):
            return None
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))

    def _failed_so(self) -> list[UUID]:
        """Of the newest failures those whose reason in the ledger has the text."""
        failures = Execution.objects.filter(outcome=Status.FAILED).order_by("-start_date", "-id")
        newest = list(failures.values_list("pk", flat=True)[:NEWEST_FAILURES])
        logs = StatusLog.objects.filter(execution__in=newest, status_to=Status.FAILED)
        found = logs.filter(reason__icontains=self.text).values_list("execution", flat=True)
        return [pk for pk in found if pk]
