"""How the database guards the executions' side of the ledger; see ``status/triggers.py``.

Creations and deletions are logged by the database, whatever code makes them. A change of status must be
a legal move, and must have its log row by the end of the transaction: :meth:`Execution.update_status`
and its set-based form write it.
"""

from textwrap import dedent

import pgtrigger

from gef_project.common.attribution import ACTOR, REASON, SOURCE
from status.sql import step
from status.states import INITIAL, MOVES
from status.triggers import SNAPSHOT, THIS_TRANSACTION, Guard, refusal, refuse

_legal_moves = ", ".join(
    f"{source}>{target}" for source in MOVES for target in MOVES if target in MOVES[source]
)
_changed = "OLD.status IS DISTINCT FROM NEW.status"
_moved = "OLD.status || '>' || NEW.status"

# Conditions of triggers are short: the server reads them anew for every statement.


def _refusal_of_unlogged(execution_id: str, move: str) -> str:
    return refusal(
        "format('Execution %s made the move %s without a row in status_log;"
        " change it by Execution.update_status, or by the same method of its queryset.',"
        f" {execution_id}, {move})"
    )


_log_insert = """
    INSERT INTO status_log (execution_id, move, status_from, status_to, actor_id, source, reason)
    SELECT id, {move}, {status_from}, {status_to}, {actor}, {source}, {reason}
    FROM {table} ORDER BY id;
    RETURN NULL;
"""

log_creations = Guard(
    name="log_creations",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    level=pgtrigger.Statement,
    referencing=pgtrigger.Referencing(new="created"),
    func=dedent(_log_insert).format(
        move="moves",
        status_from="NULL",
        status_to="status",
        actor=f"coalesce({ACTOR}, user_id)",
        source=SOURCE,
        reason=REASON,
        table="created",
    ),
)

log_deletions = Guard(
    name="log_deletions",
    when=pgtrigger.After,
    operation=pgtrigger.Delete,
    level=pgtrigger.Statement,
    referencing=pgtrigger.Referencing(old="deleted"),
    func=dedent(_log_insert).format(
        move="moves + 1",
        status_from="status",
        status_to="NULL",
        actor=ACTOR,
        source=SOURCE,
        reason=REASON,
        table="deleted",
    ),
)

# Its moves go on from those of a deleted execution that had the same id.
starts_pending = Guard(
    name="starts_pending",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=dedent(f"""
        IF NEW.status <> '{INITIAL}' THEN
            {refusal(f"'An execution starts as {INITIAL}; move it by Execution.update_status.'")}
        END IF;
        NEW.moves := coalesce((SELECT max(move) + 1 FROM status_log WHERE execution_id = NEW.id), 0);
        NEW.moved_in := NULL;
        NEW.last_move := '>{INITIAL}';
        RETURN NEW;
    """),
)

# Each move has the next number, and notes its transaction and its way; nothing else changes them. So each has
# one row in status_log, written by that transaction. A statement whose moves are to be proved at once sets
# ``moved_in`` to 0, and gets a minus; for that an execution must still be where its last move has left it.
legal_moves = Guard(
    name="legal_moves",
    when=pgtrigger.Before,
    operation=pgtrigger.UpdateOf("status", "moves", "moved_in", "last_move"),
    func=dedent(f"""
        IF OLD.status = NEW.status THEN
            NEW.moves := OLD.moves;
            NEW.moved_in := OLD.moved_in;
            NEW.last_move := OLD.last_move;
            RETURN NEW;
        END IF;
        NEW.moves := OLD.moves + 1;
        NEW.last_move := {_moved};
        IF NEW.last_move <> ALL ('{{{_legal_moves}}}') THEN
            {
        refusal(
            "format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.',"
            " OLD.id, OLD.status, NEW.status)"
        )
    }
        END IF;
        IF NEW.moved_in = 0 AND OLD.last_move LIKE '%>' || OLD.status THEN
            NEW.moved_in := -{THIS_TRANSACTION};
        ELSE
            NEW.moved_in := {THIS_TRANSACTION};
        END IF;
        RETURN NEW;
    """),
)

# At once, for all moves of a statement that wants it so: each has its row. Those are the newest rows, read in
# one go; only what the transaction has moved before, and changes again, is looked up.
logged_together = Guard(
    name="logged_together",
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    level=pgtrigger.Statement,
    referencing=pgtrigger.Referencing(new="moved"),
    declare=[("unlogged", "RECORD"), ("nested_loops", "TEXT := current_setting('enable_nestloop')")],
    func=dedent(f"""
        IF NOT EXISTS (SELECT FROM moved WHERE moved_in = -{THIS_TRANSACTION}) THEN
            RETURN NULL;
        END IF;
        PERFORM set_config('enable_nestloop', 'off', true);  -- which would seem the best way to prove few
        SELECT moved.id, last_move INTO unlogged
            FROM moved LEFT JOIN (
                SELECT * FROM status_log ORDER BY id DESC LIMIT (SELECT count(*) FROM moved)
            ) AS newest ON newest.execution_id = moved.id AND newest.move = moves
            WHERE moved_in = -{THIS_TRANSACTION} AND (last_move LIKE '%>' || status AND last_move = coalesce(
                {step("newest")},
                (SELECT {step("log")} FROM status_log AS log WHERE execution_id = moved.id AND move = moves)
            )) IS NOT TRUE LIMIT 1;
        IF FOUND THEN
            {_refusal_of_unlogged("unlogged.id", "unlogged.last_move")}
        END IF;
        PERFORM set_config('enable_nestloop', nested_loops, true);
        RETURN NULL;
    """),
)

# At the end of the transaction, once per other move: it has its row, which goes on from the row before it, if
# that is kept, or from a snapshot after that, which has recorded a repair.
logged_moves = Guard(
    name="logged_moves",
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition(f"{_changed} AND NEW.moved_in IS DISTINCT FROM -{THIS_TRANSACTION}"),
    timing=pgtrigger.Deferred,
    declare=[("logged", "BOOLEAN"), ("torn", "BOOLEAN")],
    func=dedent(f"""
        SELECT bool_or(move = NEW.moves AND status_from = OLD.status AND status_to = NEW.status),
                bool_or(move < NEW.moves AND status_to IS DISTINCT FROM OLD.status AND NOT EXISTS (
                    SELECT FROM status_log AS later WHERE later.id > log.id AND {SNAPSHOT}
                ))
            INTO logged, torn
            FROM status_log AS log WHERE execution_id = NEW.id AND move BETWEEN NEW.moves - 1 AND NEW.moves;
        IF logged IS NOT TRUE THEN
            {_refusal_of_unlogged("NEW.id", "NEW.last_move")}
        ELSIF torn THEN
            {
        refusal(
            "format('Execution %s has become %s behind the back of status_log;"
            " see manage.py check_status_log.', NEW.id, OLD.status)"
        )
    }
        END IF;
        RETURN NULL;
    """),
)

GUARDS = [
    log_creations,
    log_deletions,
    starts_pending,
    legal_moves,
    logged_moves,
    logged_together,
    refuse(
        "keeps_id",
        pgtrigger.UpdateOf("id"),
        "The id of an execution never changes: status_log knows it by it.",
        condition=pgtrigger.Condition("OLD.id IS DISTINCT FROM NEW.id"),
    ),
    refuse(
        "no_truncate",
        pgtrigger.Truncate,
        "Executions are deleted by DELETE, which status_log records, not by TRUNCATE.",
        level=pgtrigger.Statement,
    ),
]
