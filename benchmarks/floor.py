"""Row 4: how fast plain SQL can write the same tables, as the lower limit of what a transition costs."""

from collections.abc import Iterator
from functools import partial

import psycopg
from django.db import connection

from benchmarks.datasets import Dataset, build_dataset, execute
from benchmarks.measurement import Measurable, Pgbench, Processes, Step, in_rounds, one_by_one
from benchmarks.plan import Plan
from benchmarks.report import OURS, Line, rate
from benchmarks.transitions import AT_ONCE, connections, ours
from status.sql import LEDGER_LOCK
from status.states import Status, count_field

# One statement that changes an execution to and fro; the triggers write the row.
WITH_TRIGGERS = """
    SELECT (logged).* FROM executions_execution AS e, LATERAL update_execution_status(
        e.id, e.status, CASE e.status WHEN 'READY' THEN 'RUNNING' ELSE 'READY' END, NULL, NULL,
        NULL, 'bench', '', 'transition'
    ) WHERE e.id = {id}
"""

_COUNTS = [count_field(status) for status in Status]

# The same without triggers. A statement sees what was committed when it began, so after the one that waits
# for the lock another one must count; both are in a function, to save a round trip.
WITHOUT_TRIGGERS = "SELECT bench_transition({id})"
_CREATE_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION bench_transition(changing uuid) RETURNS status_log LANGUAGE plpgsql AS $$
    DECLARE
        changed record;
        logged status_log;
    BEGIN
        UPDATE executions_execution
            SET status = CASE status WHEN 'READY' THEN 'RUNNING' ELSE 'READY' END
            WHERE id = changing
            RETURNING OLD.status AS status_from, NEW.status AS status_to INTO changed;
        PERFORM pg_advisory_xact_lock({LEDGER_LOCK});
        INSERT INTO status_log (id, timestamp, execution_id, status_from, status_to, source, reason,
            {", ".join(_COUNTS)}, executions_active)
        SELECT id + 1, greatest(clock_timestamp(), timestamp), changing, changed.status_from,
            changed.status_to, 'bench', '',
            {
    ", ".join(
        f"{count_field(status)} + (changed.status_to = '{status}')::int"
        f" - (changed.status_from = '{status}')::int"
        for status in Status
    )
},
            executions_active
        FROM status_log ORDER BY id DESC LIMIT 1
        RETURNING * INTO logged;
        RETURN logged;
    END $$
"""


def by_psycopg(statement: str, database: Dataset, number: int, processes: int) -> Step:
    """By psycopg's own connection, in its autocommit mode, with the statement prepared."""
    connection.ensure_connection()
    cursor = psycopg.Cursor(connection.connection)  # Django's own binds on its side, and cannot prepare
    text = statement.format(id="%s")
    return one_by_one(
        database.own_keys(number, processes),
        lambda key: cursor.execute(text, [key], prepare=True).fetchone(),
    )


def by_pgbench(statement: str, database: Dataset, processes: int) -> str:
    """A script whose clients change executions of their own."""
    step = database.executions // database.active
    return (
        f"\\set own random(0, {database.active // processes - 1}) * {processes} + :client_id\n"
        f"\\set nth :own * {step} + 1\n" + statement.format(id="md5((:nth)::text)::uuid") + ";\n"
    )


def against_floor(plan: Plan) -> Iterator[Line]:
    unlogged = build_dataset(plan.common_size, with_triggers=False)
    execute(_CREATE_FUNCTION)
    database = build_dataset(plan.common_size)
    cells: dict[str, Measurable] = {}
    for count in AT_ONCE:
        cells[f"update_status, {connections(count)}"] = Processes(database, count, ours)
        for suffix, where, statement in [
            ("", database, WITH_TRIGGERS),
            (" without triggers", unlogged, WITHOUT_TRIGGERS),
        ]:
            cells |= {
                f"psycopg{suffix}, {connections(count)}": Processes(
                    where, count, partial(by_psycopg, statement)
                ),
                f"pgbench{suffix}, {connections(count)}": Pgbench(
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
            floor, bare = its[name], its[f"{name} without triggers"]
            yield rate(4, f"one statement by {name}, {connections(count)}", floor, OURS, (now, floor), bar)
            what = f"{name} without triggers, {connections(count)}"
            yield rate(4, what, bare, "with triggers / this", (floor, bare))
