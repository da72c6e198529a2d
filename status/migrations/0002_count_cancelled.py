"""Count the cancelled executions instead of all executions, users and scripts.

Changes of the catalogue alone: no row is rewritten. Old rows get 0, since the periodic task did not record how
many were cancelled, and its other counts do not tell.
"""

from django.db import migrations, models

from gef_project.common.migrations import LockTable


class Migration(migrations.Migration):
    dependencies = [("status", "0001_initial")]

    operations = [
        LockTable("status_log", "ACCESS EXCLUSIVE"),
        migrations.AddField("StatusLog", "executions_cancelled", models.IntegerField(default=0)),
        migrations.RemoveField("StatusLog", "executions_count"),
        migrations.RemoveField("StatusLog", "users_count"),
        migrations.RemoveField("StatusLog", "scripts_count"),
    ]
