"""One model per way of logging a change of status, each with the columns of an execution."""

import uuid
from typing import Any

import pghistory
from django.conf import settings
from django.db import models
from django.utils import timezone
from django_fsm import ConcurrentTransitionMixin, FSMField, transition
from django_fsm_log.decorators import fsm_log_by, fsm_log_description
from simple_history.models import HistoricalRecords


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    params = models.JSONField(default=dict)
    results = models.JSONField(default=dict)
    status = models.CharField(max_length=10, default="PENDING")
    progress = models.PositiveSmallIntegerField(default=0)
    start_date = models.DateTimeField(default=timezone.now)
    end_date = models.DateTimeField(null=True)

    objects = models.Manager["Job"]()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)


class CountedJob(Job):
    """As the system that this one succeeds does it: each transition counts the whole table."""


class CountedLog(models.Model):
    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    job = models.ForeignKey(CountedJob, models.DO_NOTHING, db_constraint=False)
    status_from = models.CharField(max_length=10)
    status_to = models.CharField(max_length=10)
    executions_active = models.IntegerField()
    executions_pending = models.IntegerField()
    executions_ready = models.IntegerField()
    executions_running = models.IntegerField()
    executions_finished = models.IntegerField()
    executions_failed = models.IntegerField()
    executions_cancelled = models.IntegerField()

    objects = models.Manager["CountedLog"]()

    def __str__(self) -> str:
        return f"{self.status_from} → {self.status_to}"


class StateMachineJob(ConcurrentTransitionMixin, Job):
    """By django-fsm-2 and django-fsm-log, whose log knows an object by an integer only."""

    id = models.AutoField(primary_key=True)  # type: ignore[assignment]
    status = FSMField(default="PENDING", protected=True)

    @fsm_log_by
    @fsm_log_description
    @transition(field=status, source=["PENDING", "READY"], target="RUNNING")
    def start(self, by: Any = None, description: str | None = None) -> None:
        pass

    @fsm_log_by
    @fsm_log_description
    @transition(field=status, source="RUNNING", target="READY")
    def restart(self, by: Any = None, description: str | None = None) -> None:
        pass


@pghistory.track()
class TrackedJob(Job):
    """By django-pghistory: a trigger copies the row into its table of events."""


class RecordedJob(Job):
    """By django-simple-history: a signal copies the instance into its table of history."""

    history = HistoricalRecords()
