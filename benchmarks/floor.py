"""Row 4: how fast the same tables can be written with nothing between the statement and the server."""

from collections.abc import Iterator
from functools import partial

import psycopg
from django.db import connection

from benchmarks.building import Built, built, execute
from benchmarks.measuring import Measurable, Pgbench, Processes, Step, in_rounds, one_by_one
from benchmarks.moves import AT_ONCE, connections, ours
from benchmarks.plan import Plan
from benchmarks.report import OURS, Line, rate
from status.sql import LEDGER_LOCK
from status.states import Status, count_field

# One statement that changes an execution to and fro; the triggers write the row.
GUARDED = """
    SELECT (logged).* FROM executions_execution AS e, LATERAL update_execution_status(
        e.id, e.status, CASE e.status WHEN 'READY' THEN 'RUNNING' ELSE 'READY' END, NULL, NULL,
        NULL, 'bench', '', 'transition'
    ) WHERE e.id = {id}
"""

_COUNTS = [count_field(status) for status in Status]

# The same without guards. A statement sees what was committed when it began, so one that waits for the lock
# must be followed by one that counts: on the server, to save a journey.
UNGUARDED = "SELECT bench_move({id})"
_MAKE_UNGUARDED = f"""
    CREATE OR REPLACE FUNCTION bench_move(moving uuid) RETURNS status_log LANGUAGE plpgsql AS $$
    DECLARE
        moved record;
        logged status_log;
    BEGIN
        UPDATE executions_execution
            SET status = CASE status WHEN 'READY' THEN 'RUNNING' ELSE 'READY' END
            WHERE id = moving
            RETURNING OLD.status AS status_from, NEW.status AS status_to INTO moved;
        PERFORM pg_advisory_xact_lock({LEDGER_LOCK});
        INSERT INTO status_log (id, timestamp, execution_id, status_from, status_to, source, reason,
            {", ".join(_COUNTS)}, executions_active)
        SELECT id + 1, greatest(clock_timestamp(), timestamp), moving, moved.status_from,
            moved.status_to, 'bench', '',
            {
    ", ".join(
        f"{count_field(status)} + (moved.status_to = '{status}')::int - (moved.status_from = '{status}')::int"
        for status in Status
    )
},
            executions_active
        FROM status_log ORDER BY id DESC LIMIT 1
        RETURNING * INTO logged;
        RETURN logged;
    END $$
"""


def by_psycopg(statement: str, database: Built, number: int, processes: int) -> Step:
    """By psycopg's own connection, in its autocommit mode, with the statement prepared."""
    connection.ensure_connection()
    cursor = psycopg.Cursor(connection.connection)  # Django's own binds on its side, and cannot prepare
    text = statement.format(id="%s")
    return one_by_one(
        database.own_keys(number, processes),
        lambda key: cursor.execute(text, [key], prepare=True).fetchone(),
    )


def by_pgbench(statement: str, database: Built, processes: int) -> str:
    """A script whose clients move executions of their own."""
    step = database.executions // database.active
    return (
        f"\\set own random(0, {database.active // processes - 1}) * {processes} + :client_id\n"
        f"\\set nth :own * {step} + 1\n" + statement.format(id="md5((:nth)::text)::uuid") + ";\n"
    )


def against_floor(plan: Plan) -> Iterator[Line]:
    unguarded = built(plan.common_size, guarded=False)
    execute(_MAKE_UNGUARDED)
    database = built(plan.common_size)
    cells: dict[str, Measurable] = {}
    for count in AT_ONCE:
        cells[f"update_status, {connections(count)}"] = Processes(database, count, ours)
        for guards, where, statement in [("", database, GUARDED), (" without guards", unguarded, UNGUARDED)]:
            cells |= {
                f"psycopg{guards}, {connections(count)}": Processes(
                    where, count, partial(by_psycopg, statement)
                ),
                f"pgbench{guards}, {connections(count)}": Pgbench(
                    where, count, by_pgbench(statement, where, count)
                ),
            }
    figures = in_rounds(cells, plan.rounds, plan.seconds, title="4 Floor")
    for count in AT_ONCE:
        ending = f", {connections(count)}"
        its = {name.removesuffix(ending): of for name, of in figures.items() if name.endswith(ending)}
        now = its["update_status"]
        yield rate(4, f"update_status, {connections(count)}", now)
        bars = {"psycopg": 0.5 if count == 1 else None, "pgbench": None if count == 1 else 0.7}
        for name, bar in bars.items():
            floor, bare = its[name], its[f"{name} without guards"]
            yield rate(4, f"one statement by {name}, {connections(count)}", floor, OURS, (now, floor), bar)
            what = f"{name} without guards, {connections(count)}"
            yield rate(4, what, bare, "guarded / this", (floor, bare))
