"""Pending executions get a count of their own: the active ones that are neither ready nor running."""

from django.db import migrations, models

FILL_PENDING = """
    UPDATE status_log SET executions_pending = greatest(
        executions_active - executions_ready - executions_running, 0
    )
"""


class Migration(migrations.Migration):
    dependencies = [("status", "0002_count_cancelled_instead_of_totals")]

    operations = [
        migrations.AddField("StatusLog", "executions_pending", models.IntegerField(default=0)),
        migrations.RunSQL(FILL_PENDING, migrations.RunSQL.noop),
    ]
