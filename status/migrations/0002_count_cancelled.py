"""Count the cancelled executions instead of all executions, users and scripts.

A change of the catalogue alone: no row is rewritten. Old rows get 0, since the periodic task did not record how
many were cancelled, and its other counts do not tell. Without CASCADE, which Django's own RemoveField uses: a view
that reads one of the columns stops the migration, and is not dropped silently.
"""

from django.db import migrations, models

from gef_project.common.migrations import LockTable

FORWARDS = """
    ALTER TABLE status_log
        ADD COLUMN executions_cancelled integer NOT NULL DEFAULT 0,
        DROP COLUMN executions_count, DROP COLUMN users_count, DROP COLUMN scripts_count
"""
BACKWARDS = """
    ALTER TABLE status_log
        ADD COLUMN executions_count integer NOT NULL DEFAULT 0,
        ADD COLUMN users_count integer NOT NULL DEFAULT 0,
        ADD COLUMN scripts_count integer NOT NULL DEFAULT 0,
        DROP COLUMN executions_cancelled
"""


class Migration(migrations.Migration):
    dependencies = [("status", "0001_initial")]

    operations = [
        LockTable("status_log", "ACCESS EXCLUSIVE"),
        migrations.RunSQL(
            FORWARDS,
            BACKWARDS,
            state_operations=[
                migrations.AddField("StatusLog", "executions_cancelled", models.IntegerField(default=0)),
                migrations.RemoveField("StatusLog", "executions_count"),
                migrations.RemoveField("StatusLog", "users_count"),
                migrations.RemoveField("StatusLog", "scripts_count"),
            ],
        ),
    ]
