"""Another service's history may come before the ledger of an unused database: manage.py import_gefapi."""

from django.db import migrations

from gef_project.common.migrations import LockTable, sql_file


class Migration(migrations.Migration):
    dependencies = [("status", "0005_remove_periodic_task")]

    operations = [
        LockTable("status_log", "SHARE ROW EXCLUSIVE"),
        migrations.RunSQL(sql_file(__file__, "0006_import.sql"), sql_file(__file__, "0006_reverse.sql")),
    ]
