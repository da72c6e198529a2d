"""Executions. What has no user or script gets one that stands for it, so that the counts stay true."""

import json
from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from executions.models import Execution, Script
from gef_project.accounts.models import User
from status.states import ACTIVE, TERMINAL, Status, in_order

from .accounts import COMMAND, NO_ADDRESS
from .loading import Finding, Progress, Table, execute, insert

NOBODY = f"imported-without-user@{NO_ADDRESS}"
NO_SCRIPT = "imported-without-script"

# What statuses of the old service are here. CANCELLING: nobody will bring it to the end that its user wanted.
RENAMED = {"SUBMITTED": Status.READY, "CANCELLING": Status.CANCELLED}
UNKNOWN = Status.FAILED


def texts(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


KNOWN = texts(Status)
_ACTIVE = texts(in_order(ACTIVE))
_TERMINAL = texts(in_order(TERMINAL))
NEW_STATUS = (
    f"CASE WHEN old.status IN ({KNOWN}) THEN old.status"
    + "".join(f" WHEN old.status = '{name}' THEN '{status}'" for name, status in RENAMED.items())
    + f" ELSE '{UNKNOWN}' END"
)
_START = "least(coalesce(old.start_date, old.queued_at, old.dispatched_at, old.end_date, now()), now())"
_NO_RESULT = "coalesce(json_typeof(old.{name}), 'null') = 'null'"

EXECUTIONS = Table(
    "execution",
    {
        "id": "uuid",
        "start_date": "timestamptz",
        "end_date": "timestamptz",
        "status": "text",
        "progress": "bigint",
        "params": "json",
        "results": "json",
        "script_id": "uuid",
        "user_id": "uuid",
        "queued_at": "timestamptz",
        "dispatched_at": "timestamptz",
    },
    [
        Finding("owner.id IS NULL", f"'no user: given to {NOBODY}'"),
        Finding("script.id IS NULL", f"'no script: given to {NO_SCRIPT}'"),
        Finding(
            f"coalesce(old.status, '') NOT IN ({KNOWN})",
            "'the status ' || coalesce(old.status, 'NULL') || ' became ' || new_status",
        ),
        Finding(
            f"new_status IN ({_ACTIVE}) AND old.end_date IS NOT NULL", "'open, so its end_date was left out'"
        ),
        Finding(
            f"new_status IN ({_TERMINAL}) AND old.end_date IS NULL",
            "'ended without an end_date: it became the time of the last log line, or else of its start'",
        ),
        Finding(
            "old.start_date IS NULL",
            "'no start_date: the first time that is known of it, or that of the import'",
        ),
        Finding(
            f"new_status IN ({_TERMINAL}) AND old.end_date < new_start",
            "'it ended before its start: at its start'",
        ),
        Finding(
            "old.start_date > now() OR old.end_date > now()",
            "'a time in the future became that of the import'",
        ),
        Finding("old.progress IS NULL", "'no progress: 0'"),
        Finding(
            "old.progress NOT BETWEEN 0 AND 100",
            "'a progress of ' || old.progress || ': the nearest possible'",
        ),
        Finding(_NO_RESULT.format(name="params"), "'no params: {}'"),
        Finding(_NO_RESULT.format(name="results"), "'no results: {}'"),
    ],
    f"""
    LEFT JOIN import_user AS owner ON owner.id = old.user_id
    LEFT JOIN import_script AS script ON script.id = old.script_id
    LEFT JOIN import_last_line AS last_line ON last_line.execution_id = old.id
    CROSS JOIN LATERAL (SELECT {NEW_STATUS} AS new_status, {_START} AS new_start) AS begun
    CROSS JOIN LATERAL (
        SELECT CASE WHEN new_status IN ({_TERMINAL}) THEN
            least(greatest(coalesce(old.end_date, last_line.at), new_start), now()) END AS new_end
    ) AS ended
    """,
)


def prepare_executions() -> None:
    """Find the last line of each execution that ended at a time that nobody knows."""
    execute(
        "CREATE TEMPORARY TABLE import_last_line ON COMMIT DROP AS"
        " SELECT execution_id, max(register_date) AS at FROM import_execution_log WHERE execution_id IN"
        " (SELECT id FROM import_execution"
        f" WHERE end_date IS NULL AND coalesce(status, '') NOT IN ({_ACTIVE}))"
        " GROUP BY execution_id"
    )
    execute("ANALYZE import_last_line")


def insert_executions(progress: Progress) -> int:
    nobody, no_script = _stand_ins()
    inserted = insert(
        EXECUTIONS,
        Execution,
        {
            "id": "old.id",
            "user_id": f"coalesce(owner.id, '{nobody}')",
            "script_id": f"coalesce(script.id, '{no_script}')",
            "params": f"CASE WHEN {_NO_RESULT.format(name='params')} THEN '{{}}' ELSE old.params END",
            "results": f"CASE WHEN {_NO_RESULT.format(name='results')} THEN '{{}}' ELSE old.results END",
            "status": "new_status",
            "progress": "least(greatest(coalesce(old.progress, 0), 0), 100)",
            "start_date": "new_start",
            "end_date": "new_end",
            "dispatched_at": "old.dispatched_at",
            # The old service has told the owners. Nothing is queued: no worker takes it up by itself.
            "notified_at": "new_end",
        },
        progress,
    )
    execute(f"ANALYZE {Execution._meta.db_table}")
    return inserted


def _stand_ins() -> tuple[str, str]:
    """The ids of the user and the script of executions that have none; made only if there are such."""
    nobody = no_script = str(UUID(int=0))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM import_execution AS old"
            " WHERE NOT EXISTS (SELECT FROM import_user WHERE id = old.user_id)), EXISTS"
            " (SELECT FROM import_execution AS old"
            " WHERE NOT EXISTS (SELECT FROM import_script WHERE id = old.script_id))"
        )
        without_user, without_script = cursor.fetchone()
    if without_user:
        user = User.objects.filter(email=NOBODY).first() or User.objects.create_user(
            NOBODY, name="Imported without a user", is_active=False, email_notifications=False
        )
        nobody = str(user.pk)
    if without_script:
        script, _ = Script.objects.get_or_create(
            slug=NO_SCRIPT,
            defaults={
                "name": "Imported without a script",
                "description": "Stands for the scripts of imported executions that had none.",
                "command": json.loads(COMMAND),
            },
        )
        no_script = str(script.pk)
    return nobody, no_script
