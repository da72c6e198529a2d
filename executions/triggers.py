"""How the database guards the executions' side of the ledger; see ``status/triggers.py``.

Creations and deletions are logged by the database, whatever code makes them. A change of status must be
a legal move, and must have its log row by the end of the transaction: :meth:`Execution.update_status`
and its set-based form write it.
"""

from textwrap import dedent

import pgtrigger

from status.attribution import ACTOR, REASON, SOURCE
from status.states import INITIAL, MOVES
from status.triggers import EXECUTIONS, Guard, newest_row_of, refusal, refuse

_legal_moves = ", ".join(
    f"('{source}', '{target}')" for source in MOVES for target in MOVES if target in MOVES[source]
)
_changed = "OLD.status IS DISTINCT FROM NEW.status"

_log_insert = """
    INSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)
    SELECT id, {status_from}, {status_to}, {actor}, {source}, {reason}
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
        status_from="status",
        status_to="NULL",
        actor=ACTOR,
        source=SOURCE,
        reason=REASON,
        table="deleted",
    ),
)

starts_pending = refuse(
    "starts_pending",
    pgtrigger.Insert,
    f"An execution starts as {INITIAL}; move it by Execution.update_status.",
    condition=pgtrigger.Condition(f"NEW.status <> '{INITIAL}'"),
)

legal_moves = Guard(
    name="legal_moves",
    when=pgtrigger.Before,
    operation=pgtrigger.UpdateOf("status"),
    condition=pgtrigger.Condition(f"{_changed} AND (OLD.status, NEW.status) NOT IN ({_legal_moves})"),
    func=refusal(
        "format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.',"
        " OLD.id, OLD.status, NEW.status)"
    ),
)

# At the end of the transaction, once per change: the newest row of the execution is this change; or, if it
# went on moving, this change has its row and the newest row is where the execution stands now.
logged_moves = Guard(
    name="logged_moves",
    when=pgtrigger.After,
    operation=pgtrigger.UpdateOf("status"),
    condition=pgtrigger.Condition(_changed),
    timing=pgtrigger.Deferred,
    declare=[("newest", "RECORD")],
    func=dedent(f"""
        SELECT status_from, status_to INTO newest FROM {newest_row_of("NEW.id")} AS newest
            WHERE execution_id = NEW.id;
        IF newest.status_from = OLD.status AND newest.status_to = NEW.status THEN
            RETURN NULL;
        END IF;
        IF newest.status_to IS DISTINCT FROM (SELECT status FROM {EXECUTIONS} WHERE id = NEW.id)
            OR NOT EXISTS (
                SELECT FROM status_log
                WHERE execution_id = NEW.id AND status_from = OLD.status AND status_to = NEW.status
            )
        THEN
            {
        refusal(
            "format('Execution %s went from %s to %s without a row in status_log;"
            " change it by Execution.update_status, or by the same method of its queryset.',"
            " NEW.id, OLD.status, NEW.status)"
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
