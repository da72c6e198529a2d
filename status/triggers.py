"""How the database itself keeps the ledger: the triggers of ``status_log``.

``executions/triggers.py`` has the other half, the triggers of the executions. Both halves are made from
the vocabulary in ``states.py``, and are part of the models and their migrations by django-pgtrigger.
"""

from textwrap import dedent

import pgtrigger
from django.db import models
from pgtrigger import compiler

from .states import ACTIVE, Status, count_field, in_order

# All writers of the ledger take this advisory lock, and hold it until their transaction ends.
LEDGER_LOCK = 5_764_816_170_911_001

# The table that is counted; the model belongs to an app that imports this one.
EXECUTIONS = "executions_execution"


class GuardSql(compiler.UpsertTriggerSql):
    """SQL of a trigger that no setting can switch off; pgtrigger's own has ``pgtrigger.ignore``."""

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE {constraint} TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class Guard(pgtrigger.Trigger):
    """A trigger that no setting can switch off."""

    def compile(self, model: type[models.Model]) -> compiler.Trigger:
        return compiler.Trigger(name=self.name, sql=GuardSql(**super().compile(model).sql.kwargs))


def refuse(name: str, operation: pgtrigger.Operation, message: str, **options: object) -> Guard:
    """A trigger that lets the operation fail with a message that names the right door."""
    return Guard(
        name=name,
        when=pgtrigger.Before,
        operation=operation,
        func=refusal(f"'{message}'"),
        **options,
    )


def refusal(message: str) -> str:
    """The statement that fails; ``message`` is an SQL expression."""
    return f"RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = {message};"


def _counts(expression: str) -> str:
    """One assignment per count; ``{status}`` and ``{field}`` stand for each status and its column."""
    return "\n            ".join(
        f"NEW.{count_field(status)} := "
        + expression.format(status=status.value, field=count_field(status))
        + ";"
        for status in Status
    )


def _append() -> Guard:
    active = " + ".join(f"NEW.{count_field(status)}" for status in in_order(ACTIVE))
    filters = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in Status)
    into = ", ".join(f"NEW.{count_field(status)}" for status in Status)
    moved = _counts(
        "newest.{field}"
        " + (NEW.status_to IS NOT DISTINCT FROM '{status}')::int"
        " - (NEW.status_from IS NOT DISTINCT FROM '{status}')::int"
    )
    func = f"""
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE =
                'status_log is written in READ COMMITTED transactions only: no other sees its newest row.';
        END IF;
        PERFORM pg_advisory_xact_lock({LEDGER_LOCK});
        SELECT * INTO newest FROM status_log ORDER BY id DESC LIMIT 1;
        NEW.id := coalesce(newest.id, 0) + 1;
        NEW.timestamp := greatest(clock_timestamp(), newest.timestamp);
        IF NEW.status_from IS NULL AND NEW.status_to IS NULL THEN
            -- A snapshot counts what is committed and logged; should this very transaction have changed
            -- a status and not logged it yet, its deferred guard speaks now.
            IF NEW.execution_id IS NOT NULL OR NEW.source = '' THEN
                {refusal("'A snapshot row of status_log has no execution, and names its source.'")}
            END IF;
            SET CONSTRAINTS ALL IMMEDIATE;
            SET CONSTRAINTS ALL DEFERRED;
            SELECT {filters} INTO {into} FROM {EXECUTIONS};
        ELSE
            IF newest.id IS NULL THEN
                {refusal("'status_log has no first row to count from; run manage.py migrate.'")}
            END IF;
            SELECT status_to INTO previous FROM status_log
                WHERE execution_id = NEW.execution_id ORDER BY id DESC LIMIT 1;
            chained := FOUND;
            IF chained AND previous.status_to IS DISTINCT FROM NEW.status_from THEN
                {refusal(_no_such_move())}
            END IF;
            IF NEW.status_from IS NULL OR NEW.status_to IS NULL THEN
                -- Only the triggers of the executions know of a creation or a deletion.
                IF pg_trigger_depth() < 2 THEN
                    {refusal("'The database itself logs the creation and the deletion of an execution.'")}
                END IF;
            ELSE
                SELECT status, xmin INTO present FROM {EXECUTIONS} WHERE id = NEW.execution_id;
                -- An execution older than the kept rows has no previous row; then its own row must have
                -- been written by this transaction, and its deferred guard checks status_from.
                IF present.status IS DISTINCT FROM NEW.status_to
                    OR (NOT chained AND ({_written_before("present.xmin")}))
                THEN
                    {refusal(_no_such_move())}
                END IF;
            END IF;
            {moved}
        END IF;
        NEW.executions_active := {active};
        RETURN NEW;
    """
    return Guard(
        name="append",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[
            ("newest", "status_log%ROWTYPE"),
            ("previous", "RECORD"),
            ("present", "RECORD"),
            ("chained", "BOOLEAN"),
        ],
        func=dedent(func),
    )


def _written_before(xmin: str) -> str:
    """Whether another, committed transaction wrote the visible row version with that ``xmin``.

    A version from this transaction may carry the id of one of its subtransactions (savepoints): not older
    than its own, and still in progress. ``age`` is the distance from this transaction's id.
    """
    xid8 = f"(pg_current_xact_id()::text::bigint - age({xmin}))::text::xid8"
    return f"age({xmin}) > 0 OR pg_xact_status({xid8}) <> 'in progress'"


def _no_such_move() -> str:
    return (
        "format('Execution %s did not move from %s to %s in this transaction;"
        " change it by Execution.update_status, which writes this row.',"
        " NEW.execution_id, NEW.status_from, NEW.status_to)"
    )


append = _append()

APPEND_ONLY = [
    refuse("no_update", pgtrigger.Update, "status_log is append-only: no row of it is ever changed."),
    refuse("no_delete", pgtrigger.Delete, "status_log is append-only: no row of it is ever deleted."),
    refuse(
        "no_truncate",
        pgtrigger.Truncate,
        "status_log is append-only: no row of it is ever deleted.",
        level=pgtrigger.Statement,
    ),
]
