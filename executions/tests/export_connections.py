"""The database connections of running exports."""

from django.db import connection

from gef_project.common.consistent_read import APPLICATION_NAME

_EXPORTS = "FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


def count_export_connections() -> int:
    """How many connections of exports are open."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_EXPORTS}", [APPLICATION_NAME])
        return int(cursor.fetchone()[0])


def kill_export_connections() -> None:
    """End them, as an operator or the end of the server would."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {_EXPORTS}", [APPLICATION_NAME])
