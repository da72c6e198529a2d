"""How the database itself keeps the ledger: the triggers of ``status_log``.

``executions/triggers.py`` has the other half, the triggers of the executions. Both halves are made from
the vocabulary in ``states.py``, and are part of the models and their migrations by django-pgtrigger.
"""

import pgtrigger
from django.db import models
from pgtrigger import compiler

from .sql import ACTIVE_SUM, MISCOUNTED, PREVIOUS, step
from .states import ACTIVE, Status, count_field, in_order

# All writers of the ledger take this advisory lock, and hold it until their transaction ends.
LEDGER_LOCK = 5_764_816_170_911_001

# The table that is counted; the model belongs to an app that imports this one.
EXECUTIONS = "executions_execution"

# Its id; the same in savepoints, whose rows have another ``xmin``.
THIS_TRANSACTION = "txid_current()"

# What tells a snapshot from a move.
SNAPSHOT = "status_from IS NULL AND status_to IS NULL"


class GuardSql(compiler.UpsertTriggerSql):
    """SQL of a trigger that no session can switch off, as ``pgtrigger.ignore`` does with pgtrigger's own.

    The tables are those of the schema ``public``, whatever a session has of the same name in its own
    temporary schema. A session plans the look-ups of a trigger once. Should the tables be all but empty
    then, reading them whole would seem the best way, and would stay so while they grow.
    """

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off;

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


def _per_status(expression: str, separator: str) -> str:
    """The expression once per status; ``{status}`` and ``{count}`` stand for it and its column."""
    return separator.join(expression.format(status=status, count=count_field(status)) for status in Status)


_TRUE_COUNTS = _per_status("count(*) FILTER (WHERE status = '{status}')", ", ")

# One writer at a time, until its transaction ends: so what is the newest row now stays so. All that can be
# done before it is.
_LOCK = f"PERFORM pg_advisory_xact_lock({LEDGER_LOCK});"

_CHECK_ISOLATION = """
IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE =
        'status_log is written in READ COMMITTED transactions only: no other sees its newest row.';
END IF;
"""

# Should this very transaction have changed a status in an earlier statement and not logged it yet, the guard
# of that change speaks now; ``true_snapshots`` finds what the statement of the snapshot itself has changed.
_COUNT_ALL = f"""
    IF NEW.execution_id IS NOT NULL OR NEW.source = '' THEN
        {refusal("'A snapshot row of status_log has no execution, and names its source.'")}
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    {_LOCK}
    PERFORM set_config('enable_seqscan', 'on', true);  -- until this function ends
    SELECT {_TRUE_COUNTS}
        INTO {_per_status("NEW.{count}", ", ")} FROM {EXECUTIONS};
    SELECT max(id) + 1, max(timestamp) INTO NEW.id, NEW.timestamp FROM status_log;
    NEW.id := coalesce(NEW.id, 1);
    NEW.move := NULL;
"""

_APPLY_MOVE = _per_status(
    "    NEW.{count} := NEW.{count} + (NEW.status_to IS NOT DISTINCT FROM '{status}')::int"
    " - (NEW.status_from IS NOT DISTINCT FROM '{status}')::int;",
    "\n",
)

_COUNT_ON = f"""
    {_LOCK}
    SELECT id + 1, timestamp, {_per_status("{count}", ", ")}
        INTO NEW.id, NEW.timestamp, {_per_status("NEW.{count}", ", ")}
        FROM status_log ORDER BY id DESC LIMIT 1;
    IF NOT FOUND THEN
        {refusal("'status_log has no first row to count from; run manage.py migrate.'")}
    END IF;
{_APPLY_MOVE}
"""

# The execution has made its move by now, in this transaction, and says which of its moves that is, from where
# and to where; a unique index refuses a second row for it. Only the triggers of the executions know of a
# creation or a deletion.
_CHECK_MOVE = f"""
    SELECT moves, abs(moved_in) = {THIS_TRANSACTION} AND last_move = {step("NEW")}
        INTO present_moves, moved FROM {EXECUTIONS} WHERE id = NEW.execution_id;
    IF NEW.status_from IS NULL OR NEW.status_to IS NULL THEN
        IF pg_trigger_depth() < 2 THEN
            {refusal("'The database itself logs the creation and the deletion of an execution.'")}
        END IF;
    ELSIF moved IS NOT TRUE THEN
        {
    refusal(
        "format('Execution %s did not move from %s to %s in this transaction;"
        " change it by Execution.update_status, which writes this row.',"
        " NEW.execution_id, NEW.status_from, NEW.status_to)"
    )
}
    END IF;
    NEW.move := coalesce(present_moves, NEW.move);
"""

append = Guard(
    name="append",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    condition=pgtrigger.Condition("NOT NEW.together"),
    declare=[("present_moves", "INTEGER"), ("moved", "BOOLEAN")],
    func=f"""{_CHECK_ISOLATION}
IF NEW.status_from IS NULL AND NEW.status_to IS NULL THEN
{_COUNT_ALL}
ELSE
{_CHECK_MOVE}
{_COUNT_ON}
END IF;
NEW.timestamp := greatest(clock_timestamp(), NEW.timestamp);
NEW.executions_active := {" + ".join(f"NEW.{count_field(status)}" for status in in_order(ACTIVE))};
RETURN NEW;
""",
)

# The rows of one statement after its first one, which ``append`` has numbered and counted under the lock.
# They say themselves what follows from it, and are proved in one go: row by row that costs far more.
append_together = Guard(
    name="append_together",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    level=pgtrigger.Statement,
    referencing=pgtrigger.Referencing(new="appended"),
    func=f"""
IF NOT EXISTS (SELECT FROM appended WHERE together) THEN
    RETURN NULL;
END IF;
IF EXISTS (
    SELECT FROM (SELECT *, {PREVIOUS} FROM appended WINDOW in_order AS (ORDER BY id)) AS steps
    WHERE together AND (
        previous_id IS DISTINCT FROM id - 1 OR timestamp <> previous_timestamp
        OR {MISCOUNTED} OR executions_active <> {ACTIVE_SUM}
        OR (
            SELECT moves = move AND abs(moved_in) = {THIS_TRANSACTION} AND last_move = {step("steps")}
            FROM {EXECUTIONS} WHERE {EXECUTIONS}.id = steps.execution_id
        ) IS NOT TRUE
    )
) THEN
    {
        refusal(
            "'Rows that are written together go on from one another, each with a move of this transaction;"
            " change executions by Execution.update_status, or by the same method of their queryset.'"
        )
    }
END IF;
RETURN NULL;
""",
)

# A statement that moves executions, takes a snapshot and logs the moves would count them twice.
true_snapshots = Guard(
    name="true_snapshots",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    timing=pgtrigger.Deferred,
    condition=pgtrigger.Condition("NEW.status_from IS NULL AND NEW.status_to IS NULL"),
    func=f"""
PERFORM set_config('enable_seqscan', 'on', true);  -- until this function ends
IF EXISTS (
    SELECT {_per_status("{count}", ", ")} FROM (SELECT * FROM status_log ORDER BY id DESC LIMIT 1) AS newest
    EXCEPT
    SELECT {_TRUE_COUNTS} FROM {EXECUTIONS}
) THEN
    {refusal("'A snapshot of status_log is taken by a statement of its own.'")}
END IF;
RETURN NULL;
""",
)

# The retention task says that it is at work by a setting of its transaction; even so, only rows from the
# oldest on can go, never the newest.
PRUNING = "status_log.pruning"

APPEND_ONLY = [
    refuse("no_update", pgtrigger.Update, "status_log is append-only: no row of it is ever changed."),
    refuse(
        "no_truncate",
        pgtrigger.Truncate,
        "status_log is append-only: old rows go by manage.py prune_status_log.",
        level=pgtrigger.Statement,
    ),
    Guard(
        name="prune_oldest_only",
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        level=pgtrigger.Statement,
        referencing=pgtrigger.Referencing(old="pruned"),
        func=f"""
IF EXISTS (SELECT FROM pruned) AND (
    coalesce(current_setting('{PRUNING}', true), '') <> 'on'
    OR NOT coalesce((SELECT max(id) FROM pruned) < (SELECT min(id) FROM status_log), false)
) THEN
    {refusal("'status_log is append-only: only its oldest rows go, by manage.py prune_status_log.'")}
END IF;
RETURN NULL;
""",
    ),
]
