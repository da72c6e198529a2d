"""Cancelling and deleting, one or many: one confirmation page, which acts on exactly what it says.

What acts on all that match takes the list's filter, up to the time when the page was made, and goes through
it in batches, each from the place where the last one ended. The page's script posts one after the other;
without it, each answer has a button for the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone

from executions.models import Execution, ExecutionQuerySet
from gef_project.accounts.admin import actor
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from gef_project.common.exceptions import LedgerBusy, StatusChangeError
from gef_project.common.locking import translate_lock_errors
from status.models import Source

from . import lookups
from .listing import Listing, read_place, write_place
from .listing_query import Query

if TYPE_CHECKING:
    from .executions import ExecutionAdmin

BATCH = 1_000
TYPED_ABOVE = 100  # executions: then a word has to be typed
REASON_LENGTH = 500


def _cancel(executions: ExecutionQuerySet, user: User, reason: str) -> int:
    return executions.cancel(actor=user, source=Source.ADMIN, reason=reason)


def _delete(executions: ExecutionQuerySet, user: User, reason: str) -> int:
    with translate_lock_errors(), attributed_to(user, Source.ADMIN, reason):
        return executions.delete()[1].get("executions.Execution", 0)


@dataclass(frozen=True)
class Action:
    name: str
    verb: str  # also the word to type
    done: str
    active_only: bool
    act: Callable[[ExecutionQuerySet, User, str], int]


ACTIONS = {
    action.name: action
    for action in [
        Action("cancel_selected", "cancel", "Cancelled", True, _cancel),
        Action("delete_selected", "delete", "Deleted", False, _delete),
    ]
}


class Confirmation:
    """What is asked, of which executions: of those with these ids, or of all that match a query."""

    def __init__(
        self, request: HttpRequest, action: Action, ids: list[UUID], query: Query | None = None
    ) -> None:
        self.request, self.action, self.ids, self.query = request, action, ids, query
        self.reason = request.POST.get("reason", "").replace("\0", "").strip()[:REASON_LENGTH]
        self.done = _number(request.POST.get("done", ""))

    @classmethod
    def of_one(cls, request: HttpRequest, action: Action, execution: Execution) -> "Confirmation":
        return cls(request, action, [execution.pk])

    @classmethod
    def of_many(cls, request: HttpRequest, action: Action) -> "Confirmation":
        if request.POST.get("match"):
            query = replace(Query.of(request.GET), active_only=action.active_only)
            return cls(request, action, [], replace(query, before=query.before or timezone.now()))
        given = request.POST.getlist("_selected_action")
        return cls(request, action, [pk for text in given if (pk := _uuid(text))])

    def answer(self, model_admin: "ExecutionAdmin", after: str) -> HttpResponse:
        """The question, or what came of it, and then to the page ``after``."""
        if not (self.ids or self.query):
            model_admin.message_user(self.request, "Select at least one execution.", messages.WARNING)
            return redirect(after)
        if self.request.POST.get("confirm") and self.is_typed():
            return self._do(model_admin, after)
        return self._question(model_admin)

    def is_typed(self) -> bool:
        """Whether the word has been typed, should it be needed."""
        typed = self.request.POST.get("word", "").strip().lower() == self.action.verb
        return typed or not self.needs_word

    @property
    def needs_word(self) -> bool:
        return len(self.rows) > TYPED_ABOVE

    @property
    def rows(self) -> list[Execution]:
        """Those that it will be done to, or the first of them."""
        if not hasattr(self, "_rows"):
            self._rows, self.is_cut = self._find_rows()
        return self._rows

    def _find_rows(self) -> tuple[list[Execution], bool]:
        if self.query:
            page = Listing(self.query, per_page=BATCH).page
            return page.rows, page.older is not None
        found = list(lookups.rows().filter(pk__in=self.ids).order_by("-start_date", "-id"))
        self.ended = sum(one.has_ended for one in found) if self.action.active_only else 0
        return [one for one in found if not (self.action.active_only and one.has_ended)], False

    def _question(self, model_admin: "ExecutionAdmin", **more: Any) -> HttpResponse:
        rows, verb = self.rows, self.action.verb
        number = f"at least {len(rows):,}" if self.is_cut else f"{len(rows):,}"
        context = {
            "title": f"{verb.capitalize()} {number} execution{'' if number == '1' else 's'}?",
            "action": self.action,
            "number": number,
            "shown": rows[:TYPED_ABOVE],
            "unnamed": max(len(rows) - TYPED_ABOVE, 0),
            "ended": getattr(self, "ended", 0),
            "ids": [one.pk for one in rows] if not self.query else [],
            "query": self.query,
            "url": self.query.url() if self.query else self.request.path,
            "needs_word": self.needs_word,
            "wrong_word": bool(self.request.POST.get("confirm")) and not self.is_typed(),
            "reason": self.reason,
            "batch": BATCH,
        }
        return model_admin._render(self.request, "confirm", context | more)

    def _do(self, model_admin: "ExecutionAdmin", after: str) -> HttpResponse:
        try:
            changed, place = self._batch()
        except (LedgerBusy, StatusChangeError) as busy:
            if self._wants_json:
                return JsonResponse({"error": str(busy)}, status=busy.http_status)
            model_admin.message_user(self.request, str(busy), messages.ERROR)
            return redirect(after)
        done = self.done + changed
        if place is None:
            level = messages.SUCCESS if done else messages.WARNING
            model_admin.message_user(self.request, f"{self.action.done}: {done:,}.", level)
        if self._wants_json:
            return JsonResponse({"done": done, "cursor": place or "", "url": after})
        if place is None:
            return redirect(after)
        return self._question(model_admin, done=done, cursor=place)

    def _batch(self) -> tuple[int, str | None]:
        """How many have changed, and where the next batch begins; None at the end."""
        ids, place = self.ids, None
        if self.query:
            page = Listing(self.query, read_place(self.request.POST.get("cursor", "")), per_page=BATCH).page
            ids, place = [row.pk for row in page.rows], write_place(page.older) or None
        executions = Execution.objects.filter(pk__in=ids)
        return self.action.act(executions, actor(self.request), self.reason), place

    @property
    def _wants_json(self) -> bool:
        return "application/json" in self.request.headers.get("Accept", "")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
