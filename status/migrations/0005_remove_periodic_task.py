"""Stop counting every two minutes: each change of status now writes its own row.

Only the row that the old deployments have is removed, and the schedule that it alone used.
"""

from django.db import migrations
from django.utils import timezone

NAME = "collect-system-status"
TASK = "collect_system_status"


def remove(apps, schema_editor):
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    task = tasks.filter(name=NAME).first()
    if task is None or task.task.rpartition(".")[2] != TASK:
        return
    schedules = {field: getattr(task, field) for field in ("crontab", "interval")}
    task.delete()
    for field, schedule in schedules.items():
        if schedule and not tasks.filter(**{field: schedule}).exists():
            schedule.delete()
    # A running scheduler reads its tasks anew.
    changes = apps.get_model("django_celery_beat", "PeriodicTasks").objects
    changes.update_or_create(ident=1, defaults={"last_update": timezone.now()})


class Migration(migrations.Migration):
    dependencies = [
        ("status", "0004_write_rows_by_triggers"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(remove, migrations.RunPython.noop)]
