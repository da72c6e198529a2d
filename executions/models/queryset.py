"""Sets of executions: who sees them, which need care, and the door for many at once."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import models, transaction
from django.db.models import F, Value
from django.utils import timezone

from executions import dispatch
from gef_project.common.locking import retries_deadlocks
from status.states import Status, sources_of

from .transitions import Note, columns_of_move, known_status, move_all

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .execution import Execution


class ExecutionQuerySet(models.QuerySet["Execution"]):
    def visible_to(self, user: "User") -> Self:
        """Staff see every execution, others only their own."""
        return self if user.is_staff else self.filter(user=user)

    def active(self) -> Self:
        return self.filter(end_date=None)  # as a constraint says; that is what the index knows

    def open_first(self) -> Self:
        """Those without an end, then the newest end, then the newest start; the order is total."""
        return self.order_by(models.F("end_date").desc(nulls_first=True), "-start_date", "-id")

    def lost(self, grace: timedelta) -> Self:
        """On a worker that has been silent for that long; workers outside of this project never beat."""
        on_a_worker = [Status.READY, Status.RUNNING]
        return self.active().filter(status__in=on_a_worker, heartbeat_at__lt=timezone.now() - grace)

    def overdue(self, grace: timedelta) -> Self:
        """Queued, and not taken for longer than ``grace``, nor than they had waited when they were queued.

        So each is handed out less and less often, should the workers just be busy.
        """
        now = timezone.now()
        return self.active().filter(
            status=Status.PENDING,
            queued_at__lt=now - grace,
            start_date__gt=F("queued_at") - (Value(now) - F("queued_at")),
        )

    def stale(self, age: timedelta) -> Self:
        """Created longer ago than ``age``, and not ended."""
        return self.active().filter(start_date__lt=timezone.now() - age)

    def unannounced(self) -> Self:
        """Ended, and the owner, who wants to know, has not been told."""
        return self.filter(
            end_date__isnull=False,
            notified_at=None,
            user__is_active=True,
            user__email_notifications=True,
        )

    def beat(self) -> int:
        """Note that their worker is alive."""
        return self.update(heartbeat_at=timezone.now())

    @transaction.atomic
    def hand_out_again(self) -> int:
        """Put them into the queue once more; one that is there twice is still run once."""
        ids = list(self.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        self.model.objects.filter(pk__in=ids).update(queued_at=timezone.now())
        for pk in ids:
            dispatch.run_execution(pk)
        return len(ids)

    @retries_deadlocks
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
            How many moved, each with a log row of its own. Those for which the move is illegal,
            or none, are left alone.
        """
        new_status = known_status(new_status)
        # Rows first, in key order, then the ledger: everybody locks in this order, so nobody deadlocks.
        rows = self.filter(status__in=sources_of(new_status)).order_by("pk")
        rows = rows.select_for_update(of=("self",), no_key=True)
        try:
            moving, moving_params = rows.values("pk", "status").query.sql_with_params()
        except EmptyResultSet:
            return 0
        columns = columns_of_move(new_status, progress, results)
        moved, ended = move_all(moving, moving_params, columns, Note(actor, source, reason))
        dispatch.send_end_emails(ended)
        return moved

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> int:
        """:meth:`Execution.cancel` for every execution of the set that has not ended; how many there were."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    @retries_deadlocks
    def bulk_create(self, *args: Any, **kwargs: Any) -> list["Execution"]:
        return super().bulk_create(*args, **kwargs)

    @retries_deadlocks
    @transaction.atomic
    def delete(self) -> tuple[int, dict[str, int]]:
        self.lock()
        return super().delete()

    def lock(self) -> None:
        """Lock the rows for deletion, in key order like every other lock of several."""
        list(self.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
