"""Leave room in each page of the executions, so that a move puts the row's next version beside it.

A move that is no end changes no indexed column: PostgreSQL then leaves every index alone (a heap-only tuple).
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0006_index_open_first")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE executions_execution SET (fillfactor = 80)",
            "ALTER TABLE executions_execution RESET (fillfactor)",
        )
    ]
