"""Another service's history may come before the ledger: manage.py import_gefapi."""

from django.db import migrations, models

from gef_project.common.migrations import LockTable, sql_file

# What 0006_import.sql replaces, as it was.
FUNCTIONS_BEFORE = (
    sql_file(__file__, "0004_ledger.sql")
    .partition("CREATE TRIGGER")[0]
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
)


class Migration(migrations.Migration):
    dependencies = [("status", "0005_remove_periodic_task")]

    operations = [
        LockTable("executions_execution", "SHARE ROW EXCLUSIVE"),
        LockTable("status_log", "ACCESS EXCLUSIVE"),
        migrations.RunSQL(
            sql_file(__file__, "0006_import.sql"),
            FUNCTIONS_BEFORE + sql_file(__file__, "0006_reverse.sql"),
            elidable=False,
        ),
        migrations.RemoveIndex("StatusLog", "status_log_snapshot"),
        migrations.AddIndex(
            "StatusLog",
            models.Index(
                fields=["id"],
                name="status_log_snapshot",
                condition=models.Q(status_from__isnull=True, status_to__isnull=True)
                & ~models.Q(source__in=["", "imported"]),
            ),
        ),
    ]
