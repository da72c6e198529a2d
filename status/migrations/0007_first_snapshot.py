"""Count the executions once; every later row counts from the row before it.

The guards of the executions are in place by now, so that nothing moves unseen between this count and the
next row.
"""

from django.db import migrations

TAKE = "INSERT INTO status_log (source, reason) VALUES ('migration', 'The ledger begins.')"
REMOVE = "DELETE FROM status_log WHERE source = 'migration'"


class Migration(migrations.Migration):
    dependencies = [("status", "0006_append_in_order"), ("executions", "0002_guard_status")]

    operations = [migrations.RunSQL(TAKE, REMOVE)]
