"""Have the scheduler run the project's periodic tasks."""

from django.db import migrations

from gef_project.operations import schedule


def install(apps, schema_editor):
    schedule.install(apps)


def uninstall(apps, schema_editor):
    schedule.uninstall(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0002_guard_status"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(install, uninstall)]
