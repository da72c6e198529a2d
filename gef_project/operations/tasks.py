"""Celery tasks for the operators. Each may run at any time, and twice at the same time."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from gef_project.common.retrying import retry_patiently
from status.retention import prune

from .models import CountCheck

logger = logging.getLogger(__name__)

# The longest run of one night; the next night goes on.
PRUNE_FOR = timedelta(minutes=10)


@shared_task
def check_status_counts() -> None:
    """Compare the newest row of the status log with the true counts."""
    check = retry_patiently(CountCheck.objects.run)()
    if check.fault:
        logger.error("status_log has drifted: %s; see manage.py check_status_log.", check.fault)


@shared_task
def prune_status_log() -> None:
    """Delete the rows of the status log that are older than ``STATUS_LOG_RETENTION``, if that is set."""
    if settings.STATUS_LOG_RETENTION:
        deadline = time.monotonic() + PRUNE_FOR.total_seconds()
        retry_patiently(_prune_until)(deadline, settings.STATUS_LOG_RETENTION)


def _prune_until(deadline: float, age: timedelta) -> None:
    pruned = 0
    for rows in prune(timezone.now() - age):
        pruned += rows
        if time.monotonic() >= deadline:
            logger.warning(
                "Pruning status_log takes longer than %s; it goes on with the next run.", PRUNE_FOR
            )
            break
    logger.info("%d rows of status_log deleted.", pruned)
