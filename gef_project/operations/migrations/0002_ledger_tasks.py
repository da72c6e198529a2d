"""Have the scheduler check the ledger's counts and prune its oldest rows, where it does not so already."""

from django.db import migrations

from gef_project.operations import schedule

NEW = ["check-status-counts", "prune-status-log"]


def install(apps, schema_editor):
    schedule.install(apps, NEW)


def uninstall(apps, schema_editor):
    schedule.uninstall(apps, NEW)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0001_count_check"),
        ("executions", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, uninstall)]
