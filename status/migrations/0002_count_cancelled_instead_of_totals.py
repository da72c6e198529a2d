"""Cancelled executions get a count of their own; the totals, which the counts imply, go."""

from django.db import migrations, models

# ``executions_active`` held every execution that had not ended. A row in which it is smaller than
# ready and running together was written by a task that did not count so; then those two are taken.
OPEN = "greatest(executions_active, executions_ready + executions_running)"

FILL_CANCELLED = f"""
    UPDATE status_log SET executions_cancelled = greatest(
        executions_count - {OPEN} - executions_finished - executions_failed, 0
    )
"""
RESTORE_COUNT = f"""
    UPDATE status_log SET executions_count =
        {OPEN} + executions_finished + executions_failed + executions_cancelled
"""


class Migration(migrations.Migration):
    dependencies = [("status", "0001_initial")]

    operations = [
        migrations.AddField("StatusLog", "executions_cancelled", models.IntegerField(default=0)),
        migrations.RunSQL(FILL_CANCELLED, RESTORE_COUNT),
        migrations.RemoveField("StatusLog", "executions_count"),
        migrations.RemoveField("StatusLog", "users_count"),
        migrations.RemoveField("StatusLog", "scripts_count"),
    ]
