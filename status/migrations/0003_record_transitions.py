"""Let a row say what changed, who did it, and why; and number the rows without gaps.

The rows of the periodic task are copied once into a table of the new form, which then takes the place of the old
one. Meanwhile readers read the old table, and an INSERT waits; readers are shut out for the swap alone.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

from gef_project.common.migrations import LockTable, lock_table, sql_file

STATUSES = [
    ("PENDING", "Pending"),
    ("READY", "Ready"),
    ("RUNNING", "Running"),
    ("FINISHED", "Finished"),
    ("FAILED", "Failed"),
    ("CANCELLED", "Cancelled"),
]
TERMINAL = ["FINISHED", "FAILED", "CANCELLED"]


def copy_and_swap(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute(sql_file(__file__, "0003_copy_rows.sql"))
        lock_table(schema_editor, "status_log", "ACCESS EXCLUSIVE")
        cursor.execute(sql_file(__file__, "0003_swap_tables.sql"))


def restore(apps, schema_editor):
    lock_table(schema_editor, "status_log", "ACCESS EXCLUSIVE")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(sql_file(__file__, "0003_reverse.sql"))


def foreign_key(model, related_name):
    """To what may have been deleted since: no constraint."""
    return models.ForeignKey(
        model,
        django.db.models.deletion.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name=related_name,
    )


def added(name, field):
    return migrations.AddField("StatusLog", name, field)


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0001_initial"),
        ("status", "0002_count_cancelled"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LockTable("status_log", "SHARE ROW EXCLUSIVE"),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(copy_and_swap, restore)],
            state_operations=[
                migrations.AlterModelOptions("StatusLog", {"ordering": ["-id"]}),
                added("execution", foreign_key("executions.execution", "status_logs")),
                added("status_from", models.CharField(max_length=10, choices=STATUSES, null=True, blank=True)),
                added("status_to", models.CharField(max_length=10, choices=STATUSES, null=True, blank=True)),
                added("executions_pending", models.IntegerField(db_default=0)),
                added("actor", foreign_key(settings.AUTH_USER_MODEL, "+")),
                added("source", models.CharField(max_length=20, blank=True, db_default="")),
                added("reason", models.TextField(blank=True, db_default="")),
                migrations.AlterField(
                    "StatusLog", "timestamp", models.DateTimeField(db_default=Now(), editable=False)
                ),
                *(
                    migrations.AlterField(
                        "StatusLog", f"executions_{name}", models.IntegerField(db_default=0)
                    )
                    for name in ("active", "ready", "running", "finished", "failed", "cancelled")
                ),
                migrations.AddIndex(
                    "StatusLog", models.Index(fields=["timestamp", "id"], name="status_log_timestamp")
                ),
                migrations.AddIndex(
                    "StatusLog",
                    models.Index(
                        fields=["execution", "id"],
                        name="status_log_execution",
                        condition=models.Q(execution__isnull=False),
                    ),
                ),
                migrations.AddIndex(
                    "StatusLog",
                    models.Index(
                        fields=["timestamp", "id"],
                        include=["status_from", "status_to"],
                        name="status_log_end_undone",
                        condition=models.Q(status_from__in=TERMINAL),
                    ),
                ),
                migrations.AddIndex(
                    "StatusLog",
                    models.Index(
                        fields=["id"],
                        name="status_log_snapshot",
                        condition=models.Q(status_from__isnull=True, status_to__isnull=True)
                        & ~models.Q(source__in=["", "imported"]),
                    ),
                ),
                migrations.AddConstraint(
                    "StatusLog",
                    models.CheckConstraint(
                        condition=models.Q(status_from__isnull=True)
                        | models.Q(status_to__isnull=True)
                        | ~models.Q(status_from=models.F("status_to")),
                        name="status_log_status_changes",
                    ),
                ),
            ],
        ),
    ]
