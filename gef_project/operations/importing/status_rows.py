"""The old status log, of both eras: what it counted every two minutes, and later at each change.

Its rows are shown as they were recorded and never counted from: they were written without a lock, some
changes have none, and the statuses are more than those here.
"""

from django.db import connection

from status.models import StatusLog
from status.states import Status

from .loading import BATCH, Finding, Progress, Table, execute

# Unlike in executions: the old service counted an execution that was being cancelled as running.
RENAMED = {"SUBMITTED": Status.READY, "CANCELLING": Status.RUNNING}

_COUNTS = ["active", "pending", "ready", "running", "finished", "failed", "cancelled"]
_UUID = "'^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$'"


_OLD_CHANGE = "coalesce(old.status_from, 'NULL') || ' → ' || coalesce(old.status_to, 'NULL')"


def _known(column: str) -> str:
    known = ", ".join(f"'{status}'" for status in Status)
    renamed = "".join(f" WHEN old.{column} = '{name}' THEN '{status}'" for name, status in RENAMED.items())
    return f"CASE WHEN old.{column} IN ({known}) THEN old.{column}{renamed} END"


STATUS_ROWS = Table(
    "status_log",
    {
        "id": "bigint",
        "timestamp": "timestamptz",
        **{f"executions_{name}": "integer" for name in _COUNTS},
        "status_from": "text",
        "status_to": "text",
        "execution_id": "text",
    },
    [
        Finding("NOT taken", "'neither it nor a row before it has a time'", taken=False),
        Finding("taken AND old.timestamp IS NULL", "'no time: that of the newest row before it'"),
        Finding("old.timestamp > now()", "'a time in the future became that of the import'"),
        Finding(
            "taken AND old.timestamp < newest_before", "'older than a row before it: put where its time is'"
        ),
        Finding(
            "taken AND is_change AND NOT is_transition",
            f"{_OLD_CHANGE} || ' is no transition between statuses of here: shown as counts, with a reason'",
        ),
        Finding(
            "is_transition AND (old.status_from, old.status_to) <> (new_from, new_to)",
            f"{_OLD_CHANGE} || ' became ' || new_from || ' → ' || new_to",
        ),
        Finding(
            f"taken AND old.execution_id !~ {_UUID}",
            "'the execution''s id is no UUID: left out, and in its reason'",
        ),
        Finding(
            "taken AND is_change AND (old.status_from, old.status_to) = (from_before, to_before)",
            "'the same change as that execution''s row before it: kept'",
        ),
        Finding(
            "taken AND is_change AND to_before IS NOT NULL AND old.status_from IS DISTINCT FROM to_before"
            " AND (old.status_from, old.status_to) IS DISTINCT FROM (from_before, to_before)",
            "'it does not begin where that execution''s row before it ended: kept'",
        ),
    ],
    "JOIN import_status AS placed USING (place)",
)


def prepare_status_rows() -> None:
    """Give each row its time and its transition, and look at the row before it."""
    execute(
        f"""
        CREATE TEMPORARY TABLE import_status ON COMMIT DROP AS
        SELECT place, CASE WHEN at > now() THEN now() ELSE at END AS at, at IS NOT NULL AS taken,
            newest_before, is_change, is_change AND coalesce(new_from <> new_to, false) AS is_transition,
            new_from, new_to, from_before, to_before
        FROM (
            SELECT place, coalesce(old.timestamp, max(old.timestamp) OVER so_far) AS at,
                max(old.timestamp) OVER so_far AS newest_before,
                status_from IS NOT NULL OR status_to IS NOT NULL AS is_change,
                lag(status_from) OVER of_execution AS from_before,
                lag(status_to) OVER of_execution AS to_before,
                {_known("status_from")} AS new_from, {_known("status_to")} AS new_to
            FROM import_status_log AS old
            WINDOW so_far AS (ORDER BY id ROWS UNBOUNDED PRECEDING),
                of_execution AS (PARTITION BY execution_id ORDER BY id)
        ) AS found
        """
    )
    execute("CREATE INDEX ON import_status (place)")
    execute("ANALYZE import_status")


def _sum_of_open() -> str:
    return " + ".join(f"coalesce(executions_{name}, 0)" for name in ("pending", "ready", "running"))


def insert_status_rows(progress: Progress) -> int:
    """Number the rows by their time and hand them to the ledger's own function, in batches."""
    counts = ", ".join(f"executions_{name}" for name in _COUNTS)
    values = ", ".join(f"coalesce(executions_{name}, 0)" for name in _COUNTS[1:])
    execute("CREATE TEMPORARY TABLE import_status_ordered (LIKE status_log) ON COMMIT DROP")
    rows = execute(
        f"""
        INSERT INTO import_status_ordered (
            id, timestamp, execution_id, status_from, status_to, {counts}, source, reason
        )
        SELECT row_number() OVER (ORDER BY at, old.id), at,
            CASE WHEN old.execution_id ~ {_UUID} THEN old.execution_id::uuid END,
            CASE WHEN is_transition THEN new_from END, CASE WHEN is_transition THEN new_to END,
            coalesce(executions_active, {_sum_of_open()}), {values}, '',
            concat_ws('; ',
                CASE WHEN is_change AND NOT (
                    is_transition AND (old.status_from, old.status_to) = (new_from, new_to)
                ) THEN {_OLD_CHANGE} END,
                CASE WHEN old.execution_id !~ {_UUID} THEN 'execution ' || old.execution_id END)
        FROM import_status_log AS old JOIN import_status USING (place) WHERE taken
        """
    )
    execute("CREATE INDEX ON import_status_ordered (id)")
    execute("ANALYZE import_status_ordered")
    for first in range(0, rows, BATCH):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT import_status_rows(array_agg(ROW(ordered.*)::status_log ORDER BY id))"
                " FROM import_status_ordered AS ordered WHERE id > %s AND id <= %s",
                [first, first + BATCH],
            )
        progress(min(BATCH, rows - first))
    execute(f"ANALYZE {StatusLog._meta.db_table}")
    return rows
