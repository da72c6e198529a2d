"""What Celery runs: each a name for a verb of this project, and safe to run twice."""

import logging
import socket
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_init

from gef_project.common.retrying import retry_patiently, retry_persistently

from . import agent, directories, monitoring, notifications, runner
from .models import Execution
from .supervisor.processes import LINUX

logger = logging.getLogger(__name__)


@shared_task(bind=True)
def run_execution(self: Any, execution_id: str) -> None:
    execution = retry_persistently(Execution.objects.select_related("script").filter(pk=execution_id).first)()
    if execution:
        runner.run(execution, worker=self.request.hostname or socket.gethostname())


@shared_task
def send_end_emails(execution_ids: list[str]) -> None:
    notifications.send_end_emails(map(UUID, execution_ids))


@shared_task
def monitor_executions() -> None:
    retry_patiently(monitoring.fail_lost)()
    retry_patiently(monitoring.requeue_overdue)()
    retry_patiently(monitoring.announce_unannounced)()


@shared_task
def clean_up_stale_executions() -> None:
    retry_patiently(monitoring.fail_stale)()


@shared_task
def clean_up_working_directories() -> None:
    directories.remove_finished()


@shared_task
def clean_up_failed_working_directories() -> None:
    directories.remove_failed()


@worker_init.connect
def start_agent(**kwargs: Any) -> None:
    agent.keep_running()
    if not LINUX:
        logger.warning("This is not Linux: a process that leaves its run's process group is not stopped.")
