"""The migration deletes the schedule of the old periodic task, and nothing that an operator made."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "collect-system-status"
TASK = "gefapi.tasks.status_monitoring.collect_system_status"


def migrate_to(name: str) -> None:
    MigrationExecutor(connection).migrate([("status", name)])


@pytest.fixture(autouse=True)
def before() -> Iterator[None]:
    """The database as it is before that migration."""
    migrate_to("0004_write_rows_by_triggers")
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def every_two_minutes(before: None) -> IntervalSchedule:
    return IntervalSchedule.objects.create(every=2, period=IntervalSchedule.MINUTES)


def remove() -> None:
    migrate_to("0005_remove_periodic_task")


def test_the_row_and_its_interval_are_deleted(every_two_minutes: IntervalSchedule) -> None:
    PeriodicTask.objects.create(name=NAME, task=TASK, interval=every_two_minutes)
    before = PeriodicTasks.last_change()
    remove()
    assert not PeriodicTask.objects.filter(name=NAME).exists()
    assert not IntervalSchedule.objects.filter(pk=every_two_minutes.pk).exists()
    assert PeriodicTasks.last_change() > before


def test_the_row_and_its_crontab_are_deleted() -> None:
    crontab = CrontabSchedule.objects.create(minute="*/2", hour="5")
    other = CrontabSchedule.objects.create(minute="*/3", hour="5")
    PeriodicTask.objects.create(name=NAME, task="collect_system_status", crontab=crontab)
    remove()
    assert not PeriodicTask.objects.filter(name=NAME).exists()
    assert not CrontabSchedule.objects.filter(pk=crontab.pk).exists()
    assert CrontabSchedule.objects.filter(pk=other.pk).exists()


def test_a_schedule_that_another_task_uses_stays(every_two_minutes: IntervalSchedule) -> None:
    for name, task in ((NAME, TASK), ("theirs", "their.task")):
        PeriodicTask.objects.create(name=name, task=task, interval=every_two_minutes)
    remove()
    assert PeriodicTask.objects.get(name="theirs").interval == every_two_minutes
    assert not PeriodicTask.objects.filter(name=NAME).exists()


@pytest.mark.parametrize(
    ("name", "task"),
    [(NAME, "operator.tasks.collect"), (NAME, "not_collect_system_status"), ("their-status", TASK)],
)
def test_a_row_that_an_operator_made_stays(every_two_minutes: IntervalSchedule, name: str, task: str) -> None:
    PeriodicTask.objects.create(name=name, task=task, interval=every_two_minutes)
    rows = list(PeriodicTask.objects.values())
    remove()
    assert list(PeriodicTask.objects.values()) == rows


def test_without_the_row_nothing_happens(every_two_minutes: IntervalSchedule) -> None:
    last_change = PeriodicTasks.last_change()
    remove()
    assert IntervalSchedule.objects.get() == every_two_minutes
    assert PeriodicTasks.last_change() == last_change
    migrate_to("0004_write_rows_by_triggers")
    assert IntervalSchedule.objects.get() == every_two_minutes
