"""How the database itself keeps the ledger: the triggers of ``status_log``.

``executions/triggers.py`` has the other half, the triggers of the executions. Both halves are made from
the vocabulary in ``states.py``, and are part of the models and their migrations by django-pgtrigger.
"""

import pgtrigger
from django.db import models
from pgtrigger import compiler

from .states import ACTIVE, Status, count_field, in_order

# All writers of the ledger take this advisory lock, and hold it until their transaction ends.
LEDGER_LOCK = 5_764_816_170_911_001

# The table that is counted; the model belongs to an app that imports this one.
EXECUTIONS = "executions_execution"

# What tells a snapshot from a move.
SNAPSHOT = "status_from IS NULL AND status_to IS NULL"


class GuardSql(compiler.UpsertTriggerSql):
    """SQL of a trigger that no setting can switch off; pgtrigger's own has ``pgtrigger.ignore``.

    A session plans the look-ups of a trigger once. Should the tables be all but empty then, reading them
    whole would seem the best way, and would stay so while they grow.
    """

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql SET enable_seqscan = off;

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


def newest_row_of(execution_id: str) -> str:
    """The execution's newest row, or another one's if it has none.

    Written so that the index on (execution_id, id) is the only one that can serve it.
    """
    return f"""(
        SELECT * FROM status_log WHERE (execution_id, id) <= ({execution_id}, {2**63 - 1})
        ORDER BY execution_id DESC, id DESC LIMIT 1
    )"""


def _per_status(expression: str, separator: str) -> str:
    """The expression once per status; ``{status}`` and ``{count}`` stand for it and its column."""
    return separator.join(expression.format(status=status, count=count_field(status)) for status in Status)


# One writer at a time, until its transaction ends: so what is the newest row now stays so. One query sees all
# that the rest needs: the newest row, the execution's own row before this one, and the execution as it is.
_LOOK = f"""
IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE =
        'status_log is written in READ COMMITTED transactions only: no other sees its newest row.';
END IF;
PERFORM pg_advisory_xact_lock({LEDGER_LOCK});
SELECT newest.*, previous.id AS previous_id, previous.status_to AS previous_status,
        execution.status AS present_status, execution.xmin AS present_xmin
    INTO seen
    FROM (SELECT * FROM status_log ORDER BY id DESC LIMIT 1) AS newest
    LEFT JOIN LATERAL {newest_row_of("NEW.execution_id")} AS previous
        ON previous.execution_id = NEW.execution_id
    LEFT JOIN {EXECUTIONS} AS execution ON execution.id = NEW.execution_id;
NEW.id := coalesce(seen.id, 0) + 1;
NEW.timestamp := greatest(clock_timestamp(), seen.timestamp);
"""

# A snapshot counts what is committed and logged; should this very transaction have changed a status and not
# logged it yet, its deferred guard speaks now.
_COUNT_ALL = f"""
    IF NEW.execution_id IS NOT NULL OR NEW.source = '' THEN
        {refusal("'A snapshot row of status_log has no execution, and names its source.'")}
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    SELECT {_per_status("count(*) FILTER (WHERE status = '{status}')", ", ")}
        INTO {_per_status("NEW.{count}", ", ")} FROM {EXECUTIONS};
"""

_no_such_move = refusal(
    "format('Execution %s did not move from %s to %s in this transaction;"
    " change it by Execution.update_status, which writes this row.',"
    " NEW.execution_id, NEW.status_from, NEW.status_to)"
)

# Whether another, committed transaction wrote the row version. One from this transaction may carry the id of
# one of its subtransactions (savepoints), which is not older than its own and still in progress; ``age`` is
# the distance from its own.
_WRITTEN_BEFORE = (
    "age(seen.present_xmin) > 0 OR 'in progress' <>"
    " pg_xact_status((pg_current_xact_id()::text::bigint - age(seen.present_xmin))::text::xid8)"
)

# Only the triggers of the executions know of a creation or a deletion. A move has been made by now, and goes
# on from the execution's row before it. Without one (the execution is older than the rows that are kept, or a
# snapshot has since recorded a repair) its own row must have been written by this transaction; its deferred
# guard checks ``status_from`` then.
_CHECK_MOVE = f"""
    IF seen.id IS NULL THEN
        {refusal("'status_log has no first row to count from; run manage.py migrate.'")}
    END IF;
    chained := seen.previous_id IS NOT NULL;
    IF chained AND seen.previous_status IS DISTINCT FROM NEW.status_from THEN
        chained := false;
        IF NOT EXISTS (SELECT FROM status_log WHERE id > seen.previous_id AND {SNAPSHOT}) THEN
            {_no_such_move}
        END IF;
    END IF;
    IF NEW.status_from IS NULL OR NEW.status_to IS NULL THEN
        IF pg_trigger_depth() < 2 THEN
            {refusal("'The database itself logs the creation and the deletion of an execution.'")}
        END IF;
    ELSIF seen.present_status IS DISTINCT FROM NEW.status_to OR (NOT chained AND ({_WRITTEN_BEFORE})) THEN
        {_no_such_move}
    END IF;
"""

_COUNT_ON = _per_status(
    "    NEW.{count} := seen.{count} + (NEW.status_to IS NOT DISTINCT FROM '{status}')::int"
    " - (NEW.status_from IS NOT DISTINCT FROM '{status}')::int;",
    "\n",
)

_SUM_UP = (
    f"NEW.executions_active := {' + '.join(f'NEW.{count_field(status)}' for status in in_order(ACTIVE))};"
)

append = Guard(
    name="append",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("seen", "RECORD"), ("chained", "BOOLEAN")],
    func=f"""{_LOOK}
IF NEW.status_from IS NULL AND NEW.status_to IS NULL THEN
{_COUNT_ALL}
ELSE
{_CHECK_MOVE}
{_COUNT_ON}
END IF;
{_SUM_UP}
RETURN NEW;
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
