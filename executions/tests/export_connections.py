from django.db import connection

from gef_project.common.consistent_read import APPLICATION_NAME

_SNAPSHOTS = "FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


def count_export_connections() -> int:
    """How many exports have their connection open."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_SNAPSHOTS}", [APPLICATION_NAME])
        return int(cursor.fetchone()[0])


def kill_export_connections() -> None:
    """As an operator, or the end of the database server, would."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {_SNAPSHOTS}", [APPLICATION_NAME])
