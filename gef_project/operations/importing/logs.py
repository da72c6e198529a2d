"""The lines of executions' logs."""

from executions.models import Execution, ExecutionLog

from .executions import KNOWN, NEW_STATUS, texts
from .loading import Finding, Progress, Table, execute, insert

_LEVELS = texts(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
_LEVEL = "upper(btrim(old.level))"

LOGS = Table(
    "execution_log",
    {
        "id": "bigint",
        "text": "text",
        "level": "text",
        "register_date": "timestamptz",
        "execution_id": "uuid",
    },
    [
        Finding("execution.id IS NULL", "'it is of no execution'", taken=False),
        Finding("execution.id IS NOT NULL AND old.text IS NULL", "'no text: an empty line'"),
        Finding(
            "execution.id IS NOT NULL AND old.register_date IS NULL",
            "'no time: that of the execution''s start'",
        ),
        Finding(
            f"execution.id IS NOT NULL AND coalesce({_LEVEL}, '') NOT IN ({_LEVELS})",
            "'the level ' || coalesce(nullif(old.level, ''), 'NULL') || ' became ' || new_level",
        ),
    ],
    f"""
    LEFT JOIN {Execution._meta.db_table} AS execution ON execution.id = old.execution_id
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN {_LEVEL} IN ({_LEVELS}) THEN {_LEVEL}
            WHEN {_LEVEL} = 'WARN' THEN 'WARNING'
            WHEN {_LEVEL} IN ('ERR', 'EXCEPTION') THEN 'ERROR'
            WHEN {_LEVEL} IN ('FATAL', 'CRIT') THEN 'CRITICAL'
            ELSE 'INFO'
        END AS new_level
    ) AS levelled
    """,
)


def insert_logs(progress: Progress) -> int:
    """The lines keep their ids; then a line of our own says of which executions the status was changed."""
    inserted = insert(
        LOGS,
        ExecutionLog,
        {
            "id": "old.id",
            "execution_id": "execution.id",
            "text": "coalesce(old.text, '')",
            "level": "new_level",
            "register_date": "coalesce(old.register_date, execution.start_date)",
        },
        progress,
        where="execution.id IS NOT NULL",
    )
    table = ExecutionLog._meta.db_table
    execute(
        f"""
        INSERT INTO {table} (id, execution_id, text, level, register_date)
        SELECT (SELECT coalesce(max(id), 0) FROM {table}) + row_number() OVER (ORDER BY old.place), old.id,
            format('Imported with the status %s, which became %s.', coalesce(old.status, 'NULL'), new_status),
            'WARNING', now()
        FROM import_execution AS old CROSS JOIN LATERAL (SELECT {NEW_STATUS} AS new_status) AS begun
        WHERE coalesce(old.status, '') NOT IN ({KNOWN})
        """
    )
    execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING count(*) > 0"
    )
    return inserted
