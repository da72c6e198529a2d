"""The periodic tasks of every app of the project, and their installation in the scheduler's tables.

Operators change them there: they turn them off, or give them another schedule. Nothing here undoes that.
``manage.py setup_periodic_tasks`` adds what a later version brings.
"""

from typing import Any, NamedTuple

from django.utils import timezone


class Periodic(NamedTuple):
    name: str
    task: str
    description: str
    expire_seconds: int  # of a message that no worker takes, so that messages do not pile up
    minute: str  # as in a crontab, in UTC; so is hour
    hour: str = "*"


PERIODIC = [
    Periodic(
        "monitor-executions",
        "executions.tasks.monitor_executions",
        "Fail the executions whose worker has vanished; queue again and announce what was lost on the way.",
        expire_seconds=120,
        minute="*/2",
    ),
    Periodic(
        "clean-up-stale-executions",
        "executions.tasks.clean_up_stale_executions",
        "Fail the executions that have not ended for days.",
        expire_seconds=3600,
        minute="7",
    ),
    Periodic(
        "clean-up-working-directories",
        "executions.tasks.clean_up_working_directories",
        "Remove the working directories of finished, cancelled and deleted executions.",
        expire_seconds=86_400,
        minute="12",
        hour="3",
    ),
    Periodic(
        "clean-up-failed-working-directories",
        "executions.tasks.clean_up_failed_working_directories",
        "Remove the working directories of executions that failed long ago.",
        expire_seconds=86_400,
        minute="27",
        hour="3",
    ),
    Periodic(
        "check-status-counts",
        "gef_project.operations.tasks.check_status_counts",
        "Compare the newest row of the status log with the true counts; an error line if they differ.",
        expire_seconds=600,
        minute="4-59/10",
    ),
    Periodic(
        "prune-status-log",
        "gef_project.operations.tasks.prune_status_log",
        "Delete the rows of the status log that are older than STATUS_LOG_RETENTION, if that is set.",
        expire_seconds=86_400,
        minute="57",
        hour="3",
    ),
    Periodic(
        "forget-expired-log-ins",
        "gef_project.accounts.tasks.forget_expired",
        "Delete revoked tokens that have expired anyway, and log-in attempts of long ago.",
        expire_seconds=86_400,
        minute="42",
        hour="3",
    ),
]


def install(apps: Any) -> list[str]:
    """Add the missing tasks, and correct the import path of the others. Doing it twice changes nothing.

    Args:
        apps: a registry of models: the live one, or a migration's.

    Returns:
        The names of those that were added or changed.
    """
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    changed = [periodic.name for periodic in PERIODIC if _upsert(apps, tasks, periodic)]
    if changed:
        tell_scheduler(apps)
    return changed


def uninstall(apps: Any) -> None:
    """Remove the tasks, but not one whose name an operator has given to another task."""
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for periodic in PERIODIC:
        tasks.filter(name=periodic.name, task=periodic.task).delete()
    tell_scheduler(apps)


def tell_scheduler(apps: Any) -> None:
    """Have a running scheduler reload its tasks; a migration's models do not do so by themselves."""
    changes = apps.get_model("django_celery_beat", "PeriodicTasks").objects
    changes.update_or_create(ident=1, defaults={"last_update": timezone.now()})


def _upsert(apps: Any, tasks: Any, periodic: Periodic) -> bool:
    if existing := tasks.filter(name=periodic.name).first():
        return bool(tasks.filter(pk=existing.pk).exclude(task=periodic.task).update(task=periodic.task))
    tasks.create(
        name=periodic.name,
        task=periodic.task,
        description=periodic.description,
        expire_seconds=periodic.expire_seconds,
        crontab=_crontab(apps, periodic),
    )
    return True


def _crontab(apps: Any, periodic: Periodic) -> Any:
    """An existing one, since tasks may share them, or a new one."""
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects
    when = {
        "minute": periodic.minute,
        "hour": periodic.hour,
        "day_of_week": "*",
        "day_of_month": "*",
        "month_of_year": "*",
        "timezone": "UTC",
    }
    return crontabs.filter(**when).first() or crontabs.create(**when)
