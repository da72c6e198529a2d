"""What the search box of the ledger takes: a row, an execution, a script, or who did it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from status.models import StatusLog

SHORTEST_PREFIX = 4  # characters of an execution's id
MOST_ROWS = 5_000  # of the executions with such an id
MOST_EXECUTIONS = 1_000  # of the scripts found
MOST_NAMES = 10  # scripts, or users, whose names begin alike


@dataclass(frozen=True)
class Found:
    """The rows that a search means.

    ``ids`` are those rows, where an index leads to them; None: each row has to be looked at. They may be cut;
    ``condition`` holds for all of them.
    """

    condition: Q
    ids: frozenset[int] | None
    text: str

    @property
    def is_nothing(self) -> bool:
        return self.ids is not None and not self.ids


def find(term: str) -> Found:
    """The first of these that there is: a row, executions, scripts, users."""
    for look in (_row, _executions, _scripts, _users):
        if found := look(term):
            return found
    kept = StatusLog.objects.ids_between()
    text = _(
        "Nothing fits “{term}”: it is no row between {first} and {last}, not the start of the id of an"
        " execution that has a row (at least {shortest} characters), nor of a script’s name or slug, nor of a"
        " user’s email."
    )
    first, last = (kept[0], kept[-1]) if kept else (0, 0)
    return Found(
        Q(pk__in=[]),
        frozenset(),
        text.format(term=term, first=first, last=last, shortest=SHORTEST_PREFIX),
    )


def _row(term: str) -> Found | None:
    if not (term.isascii() and term.isdecimal() and int(term[:20]) in StatusLog.objects.ids_between()):
        return None
    number = int(term[:20])
    return Found(Q(pk=number), frozenset({number}), _("Row {number}.").format(number=number))


def _executions(term: str) -> Found | None:
    digits = term.replace("-", "").lower()
    if not SHORTEST_PREFIX <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        return None
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    condition = Q(execution__gte=first, execution__lte=last)
    ids = _ids(StatusLog.objects.filter(condition), MOST_ROWS + 1)
    if not ids:
        return None
    text = _("Execution {id}.") if first == last else _("Executions whose id begins with {id}.")
    return Found(condition, None if len(ids) > MOST_ROWS else ids, text.format(id=term))


def _scripts(term: str) -> Found | None:
    scripts = apps.get_model("executions.Script").objects.filter(
        Q(slug__istartswith=term) | Q(name__istartswith=term)
    )
    named = list(scripts.order_by("slug").values_list("pk", "name")[:MOST_NAMES])
    if not named:
        return None
    # One by one, since for several at once the newest are not in the order of any index.
    runs = apps.get_model("executions.Execution").objects
    limit = MOST_EXECUTIONS // len(named)
    newest = [
        runs.filter(script=pk).order_by("-start_date").values_list("pk", flat=True)[:limit]
        for pk, _name in named
    ]
    executions = [pk for some in newest for pk in some]
    text = ngettext(
        "Script {names}: its {limit} newest executions.",
        "Scripts {names}: the {limit} newest executions of each.",
        len(named),
    )
    return Found(
        Q(execution__in=runs.filter(script__in=[pk for pk, _name in named]).values("pk")),
        _ids(StatusLog.objects.filter(execution__in=executions)),
        text.format(names=", ".join(name for _pk, name in named), limit=limit),
    )


def _users(term: str) -> Found | None:
    users = get_user_model()._default_manager.filter(email__startswith=term.lower())
    named = dict(users.order_by("email").values_list("pk", "email")[:MOST_NAMES])
    if not named:
        return None
    return Found(Q(actor__in=list(named)), None, _("By {names}.").format(names=", ".join(named.values())))


def _ids(rows: Any, limit: int | None = None) -> frozenset[int]:
    # In no order: sorted by id, the database would rather read the table from its end.
    return frozenset(rows.order_by().values_list("pk", flat=True)[:limit])
