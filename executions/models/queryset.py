"""Executions as a queryset: whom they are visible to, which need attention, and changes of many statuses."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

from executions import dispatch
from gef_project.common.locking import retry_deadlocks
from status.exceptions import StatusChangeError
from status.states import Status, predecessors_of

from .reports import Report, store_reports
from .transitions import Attribution, Change, parse_status, update_all

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .execution import Execution

A_WHILE, A_DAY = timedelta(minutes=2), timedelta(days=1)
REQUEUE_EVERY = timedelta(minutes=6)  # at most, for as long as no worker takes an execution


VIEW = ("executions.view_execution", "executions.change_execution")
CANCEL = "executions.cancel_execution"


class ExecutionQuerySet(models.QuerySet["Execution"]):
    def visible_to(self, user: "User") -> Self:
        """Staff who may view executions see every one, others only their own."""
        return self if user.may(*VIEW) else self.filter(user=user)

    def cancellable_by(self, user: "User") -> Self:
        """Everybody's for staff who may cancel, else their own."""
        return self if user.may(CANCEL) else self.filter(user=user)

    def active(self) -> Self:
        return self.filter(end_date=None)  # the condition of the index; a constraint ties it to the status

    def open_first(self) -> Self:
        """Those that have not ended first, then by the newest end, then by the newest start."""
        return self.order_by(models.F("end_date").desc(nulls_first=True), "-start_date", "-id")

    def lost(self, grace: timedelta) -> Self:
        """Not renewed by their machine for that long; without any lease, they are run by somebody else."""
        on_a_worker = [Status.READY, Status.RUNNING]
        return self.active().filter(status__in=on_a_worker, heartbeat_at__lt=Now() - grace)

    def overdue(self, grace: timedelta) -> Self:
        """Due to be run again, or queued and not claimed for longer than ``grace``, nor than they had waited.

        So each is queued again less and less often, should the workers just be busy, but every few minutes.
        """
        waited_longer = Q(start_date__gt=F("queued_at") - (Now() - F("queued_at")))
        overdue = Q(run_after=None, queued_at__lt=Now() - grace) & (
            waited_longer | Q(queued_at__lt=Now() - max(REQUEUE_EVERY, grace))
        )
        return self.active().filter(overdue | Q(run_after__lte=Now()), status=Status.PENDING)

    def stale(self, age: timedelta) -> Self:
        """Created longer ago than ``age``, and not ended yet."""
        return self.active().filter(start_date__lt=Now() - age)

    def unannounced(self) -> Self:
        """Ended, and the owner, who wants email about it, has not been told yet."""
        return self.filter(
            end_date__isnull=False,
            notified_at=None,
            user__is_active=True,
            user__email_notifications=True,
        )

    def not_announced_in_time(self) -> Self:
        """Those whose e-mail is due again, or was never tried: then the message about it was lost."""
        lost = Q(notify_after=None, notify_attempts=0, end_date__range=(Now() - A_DAY, Now() - A_WHILE))
        return self.unannounced().filter(lost | Q(notify_after__lte=Now()))

    def given_up(self) -> Self:
        """Those whose e-mail was tried in vain, and will not be tried again."""
        return self.unannounced().filter(notify_after=None, notify_attempts__gt=0)

    def announce_again(self) -> int:
        """Send the e-mail about the end once more, whatever became of it before; how many are due."""
        ended = self.filter(end_date__isnull=False)
        return ended.update(notified_at=None, notify_after=Now(), notify_attempts=0, notify_error="")

    @transaction.atomic
    def heartbeat(self) -> int:
        """Renew their leases, by one statement; a row that somebody has locked keeps no other one back."""
        unlocked = self.order_by().select_for_update(skip_locked=True, no_key=True).values("pk")
        return self.model.objects.filter(pk__in=unlocked).update(heartbeat_at=Now())

    @transaction.atomic
    def requeue(self) -> int:
        """Put them into the queue again; one that is in it twice still runs only once."""
        ids = list(self.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        self.model.objects.filter(pk__in=ids).update(queued_at=Now(), run_after=None)
        for pk in ids:
            dispatch.run_execution(pk)
        return len(ids)

    @retry_deadlocks
    @transaction.atomic
    def update_status(
        self,
        new_status: str,
        *,
        progress: int | None = None,
        results: Any = None,
        actor: "User | None" = None,
        source: str = "",
        reason: str = "",
    ) -> int:
        """:meth:`Execution.update_status` for every execution of the set, in one transaction.

        Returns:
            How many have changed, each with a row of the status log. Those that cannot go to this status, or
            have it already, are left alone.
        """
        status = parse_status(new_status)
        # Every writer locks rows in the order of their keys, and then the ledger, so that none deadlock.
        rows = self.filter(status__in=predecessors_of(status)).order_by("pk")
        rows = rows.select_for_update(of=("self",), no_key=True)
        try:
            locked, params = rows.values("pk").query.sql_with_params()
        except EmptyResultSet:
            return 0
        change = Change(uuid.UUID(int=0), status, progress, results)
        changed, ended = update_all(locked, params, change, Attribution(actor, source, reason))
        dispatch.send_end_emails(ended)
        return changed

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> int:
        """:meth:`Execution.cancel` for all that have not ended; returns how many."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    @retry_deadlocks
    @transaction.atomic
    def accept_reports(
        self, reports: Sequence[Report], *, actor: "User | None" = None, source: str = ""
    ) -> list[StatusChangeError | None]:
        """:meth:`Execution.accept_report` for many reports, in one transaction.

        Reports of the same execution are applied in their order.

        Returns:
            For each report, in the same order, why it was refused, or None if it was stored.

        Raises:
            LedgerBusy: nothing of any report was stored.
        """
        return store_reports(self.all(), reports, Attribution(actor, source))

    @retry_deadlocks
    def bulk_create(self, *args: Any, **kwargs: Any) -> list["Execution"]:
        return super().bulk_create(*args, **kwargs)

    def _batched_insert(self, objs: list["Execution"], fields: Any, *args: Any, **kwargs: Any) -> Any:
        """Django's own, without the columns that no object sets: the database fills them in."""

        def is_set(field: Any) -> bool:
            if not (field.has_db_default() or field.null):
                return True
            unset = field.default if field.has_db_default() else None
            values = (getattr(one, field.attname) for one in objs)
            return not all(isinstance(value, DatabaseDefault) or value == unset for value in values)

        return super()._batched_insert(objs, list(filter(is_set, fields)), *args, **kwargs)

    @retry_deadlocks
    @transaction.atomic
    def delete(self) -> tuple[int, dict[str, int]]:
        self.lock()
        return super().delete()

    def lock(self) -> None:
        """Lock the rows for deletion, in the order of their keys, as every writer does."""
        list(self.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
