"""The periodic tasks: added when they are missing, never put back to what an operator changed."""

from collections.abc import Iterator

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from gef_project.operations.schedule import PERIODIC

pytestmark = pytest.mark.django_db

NAMES = {periodic.name for periodic in PERIODIC}


def names() -> set[str]:
    return set(PeriodicTask.objects.filter(name__in=NAMES).values_list("name", flat=True))


@pytest.fixture
def installed(db: None) -> None:
    call_command("setup_periodic_tasks")


def test_every_task_exists() -> None:
    current_app.loader.import_default_modules()
    assert {periodic.task for periodic in PERIODIC} <= set(current_app.tasks)


def test_a_missing_task_is_added_again(installed: None, capsys: pytest.CaptureFixture[str]) -> None:
    PeriodicTask.objects.filter(name="monitor-executions").delete()
    capsys.readouterr()
    call_command("setup_periodic_tasks")
    assert names() == NAMES
    assert capsys.readouterr().out == "Set up: monitor-executions.\n"


def test_doing_it_twice_changes_nothing(installed: None) -> None:
    before = list(PeriodicTask.objects.values()), CrontabSchedule.objects.count(), PeriodicTasks.last_change()
    call_command("setup_periodic_tasks")
    after = list(PeriodicTask.objects.values()), CrontabSchedule.objects.count(), PeriodicTasks.last_change()
    assert after == before


def test_what_an_operator_changed_stays(installed: None) -> None:
    often = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name="monitor-executions").update(
        enabled=False, crontab=None, interval=often, queue="other", expire_seconds=None, description="Ours."
    )
    before = PeriodicTask.objects.filter(name="monitor-executions").values().get()
    call_command("setup_periodic_tasks")
    assert PeriodicTask.objects.filter(name="monitor-executions").values().get() == before


def test_a_task_that_was_moved_is_found_under_its_name(installed: None) -> None:
    PeriodicTask.objects.filter(name="monitor-executions").update(task="old.path", enabled=False)
    call_command("setup_periodic_tasks")
    monitor = PeriodicTask.objects.get(name="monitor-executions")
    assert (monitor.task, monitor.enabled) == ("executions.tasks.monitor_executions", False)


def test_a_running_scheduler_is_told(installed: None) -> None:
    before = PeriodicTasks.last_change()
    PeriodicTask.objects.filter(name="monitor-executions").update(task="old.path")
    call_command("setup_periodic_tasks")
    assert PeriodicTasks.last_change() > before


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("monitor-executions", "*/2 * * * *"),
        ("clean-up-stale-executions", "7 * * * *"),
        ("clean-up-working-directories", "12 3 * * *"),
        ("clean-up-failed-working-directories", "27 3 * * *"),
        ("check-status-counts", "4-59/10 * * * *"),
        ("prune-status-log", "57 3 * * *"),
    ],
)
def test_when_they_run(installed: None, name: str, schedule: str) -> None:
    crontab = PeriodicTask.objects.get(name=name).crontab
    assert str(crontab).startswith(schedule)
    assert str(crontab.timezone) == "UTC"


@pytest.fixture
def migrated_afterwards() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.django_db(transaction=True)
def test_the_migration_adds_them_and_its_reverse_removes_them(migrated_afterwards: None) -> None:
    operators = PeriodicTask.objects.create(
        name="theirs", task="their.task", interval=IntervalSchedule.objects.create(every=1, period="days")
    )
    migrate_to("0001_initial")
    assert names() == set()
    migrate_to("0002_periodic_tasks")
    assert names() == NAMES
    PeriodicTask.objects.filter(name="monitor-executions").update(task="their.own")
    migrate_to("0001_initial")
    assert names() == {"monitor-executions"}
    assert PeriodicTask.objects.filter(pk=operators.pk).exists()


def migrate_to(name: str) -> None:
    MigrationExecutor(connection).migrate([("operations", name)])
