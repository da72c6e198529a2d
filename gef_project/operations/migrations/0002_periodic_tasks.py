"""Have the scheduler run the periodic tasks of every app."""

from django.db import migrations

from gef_project.operations import schedule


def install(apps, schema_editor):
    schedule.install(apps)


def uninstall(apps, schema_editor):
    schedule.uninstall(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0001_initial"),
        ("executions", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, uninstall)]
