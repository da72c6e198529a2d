"""The ledger begins: from its first row, a count of all executions, the database writes every other one."""

from django.db import migrations

from gef_project.common.migrations import LockTable, sql_file

FIRST_ROW = "SELECT append_status_snapshot(NULL, 'migration', 'The ledger begins.')"


class Migration(migrations.Migration):
    dependencies = [("status", "0003_record_transitions")]

    operations = [
        # Nothing changes between the count and the first change that the triggers see.
        LockTable("executions_execution", "SHARE ROW EXCLUSIVE"),
        LockTable("status_log", "SHARE ROW EXCLUSIVE"),
        migrations.RunSQL(
            sql_file(__file__, "0004_ledger.sql"), sql_file(__file__, "0004_reverse.sql"), elidable=False
        ),
        migrations.RunSQL(FIRST_ROW, migrations.RunSQL.noop),
    ]
