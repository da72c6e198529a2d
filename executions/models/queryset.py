"""Sets of executions: who sees them, which need care, and the door for many at once."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction
from django.db.models import F, Value
from django.utils import timezone

from executions import dispatch
from status.exceptions import UnknownStatus
from status.locking import retries_deadlocks
from status.states import ACTIVE, TERMINAL, Status, in_order, sources_of

if TYPE_CHECKING:
    from gef_project.accounts.models import User

    from .execution import Execution

# Lock, change and log, in one statement, so that nothing travels between the server and here.
_MOVE_ALL = """
    WITH moving AS ({moving}),
    moved AS (
        UPDATE executions_execution AS execution SET {assignments}
        FROM moving WHERE execution.id = moving.pk
        RETURNING execution.id, moving.status AS status_from
    )
    INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)
    SELECT id, status_from, %s, %s, %s, %s FROM moved ORDER BY id
    RETURNING execution_id
"""

# The same for changes that differ from row to row. The rows are locked already; where a change has no value,
# the row keeps its own. Only what changes its status is logged.
_CHANGE_EACH = """
    WITH changed AS (
        UPDATE executions_execution AS execution SET
            status = coalesce(change.status, execution.status),
            end_date = coalesce(change.end_date, execution.end_date),
            progress = coalesce(change.progress, execution.progress),
            results = coalesce(change.results, execution.results)
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::smallint[], %s::json[])
            WITH ORDINALITY
            AS change(id, status_from, status, end_date, progress, results, place)
        WHERE execution.id = change.id
        RETURNING change.*
    )
    INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source)
    SELECT id, status_from, status, %s, %s FROM changed WHERE status IS NOT NULL ORDER BY place
"""


def known_status(value: str) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise UnknownStatus(value) from None


def columns_of_move(status: Status, progress: int | None, results: Any) -> dict[str, Any]:
    """What changes in the row when an execution moves to ``status``."""
    columns: dict[str, Any] = {"status": status}
    if status in TERMINAL:
        columns |= {"end_date": timezone.now(), "progress": 100}
    return columns | columns_of_report(progress, results)


def columns_of_report(progress: int | None, results: Any) -> dict[str, Any]:
    report = {"progress": progress, "results": results}
    return {name: value for name, value in report.items() if value is not None}


class Change(NamedTuple):
    """New values of an execution's columns; with a ``status``, a move."""

    execution_id: UUID
    status_from: str
    columns: dict[str, Any]

    @property
    def moves(self) -> bool:
        return "status" in self.columns


class ExecutionQuerySet(models.QuerySet["Execution"]):
    def visible_to(self, user: "User") -> Self:
        """Staff see every execution, others only their own."""
        return self if user.is_staff else self.filter(user=user)

    def active(self) -> Self:
        return self.filter(status__in=in_order(ACTIVE))

    def open_first(self) -> Self:
        """Those without an end, then the newest end, then the newest start; the order is total."""
        return self.order_by(models.F("end_date").desc(nulls_first=True), "-start_date", "-id")

    def lost(self, grace: timedelta) -> Self:
        """On a worker that has been silent for that long; workers outside of this project never beat."""
        on_a_worker = [Status.READY, Status.RUNNING]
        return self.filter(status__in=on_a_worker, heartbeat_at__lt=timezone.now() - grace)

    def overdue(self, grace: timedelta) -> Self:
        """Queued, and not taken for longer than ``grace``, nor than they had waited when they were queued.

        So each is handed out less and less often, should the workers just be busy.
        """
        now = timezone.now()
        return self.filter(
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
            status__in=in_order(TERMINAL),
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
        assignments, values = self._assignments(columns_of_move(new_status, progress, results))
        with connection.cursor() as cursor:
            cursor.execute(
                _MOVE_ALL.format(moving=moving, assignments=assignments),
                [*moving_params, *values, new_status, actor.pk if actor else None, source, reason],
            )
            moved = [execution_id for (execution_id,) in cursor.fetchall()]
        if new_status in TERMINAL and moved:
            dispatch.send_end_emails(moved)
        return len(moved)

    def cancel(self, *, actor: "User | None" = None, source: str = "", reason: str = "") -> int:
        """:meth:`Execution.cancel` for every execution of the set that has not ended; how many there were."""
        return self.update_status(Status.CANCELLED, actor=actor, source=source, reason=reason)

    def change_each(
        self, changes: Iterable[Change], *, actor: "User | None" = None, source: str = ""
    ) -> None:
        """Make changes that differ from row to row, one of a row at most, by one statement.

        The caller holds the rows' locks, and knows that the changes are legal.
        """
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        changes = list(changes)

        def column(name: str) -> list[Any]:
            values = (change.columns.get(name) for change in changes)
            return [fields[name].get_db_prep_save(value, connection) for value in values]

        with connection.cursor() as cursor:
            cursor.execute(
                _CHANGE_EACH,
                [
                    [change.execution_id for change in changes],
                    [change.status_from for change in changes],
                    *map(column, ("status", "end_date", "progress", "results")),
                    actor.pk if actor else None,
                    source,
                ],
            )

    def _assignments(self, columns: dict[str, Any]) -> tuple[str, list[Any]]:
        """``columns`` as the SET clause of an UPDATE, and its parameters."""
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        return (
            ", ".join(f'"{fields[name].column}" = %s' for name in columns),
            [fields[name].get_db_prep_save(value, connection) for name, value in columns.items()],
        )

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
