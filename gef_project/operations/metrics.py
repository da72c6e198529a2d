"""The metrics for Prometheus, read from the database at each scrape: every web process answers the same."""

from collections.abc import Iterator
from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from status.models import StatusLog
from status.states import Status, count_field

from .models import CountCheck


class LedgerCollector(Collector):
    """The ledger's newest row and the last check of its counts: one index look-up each."""

    def collect(self) -> Iterator[Metric]:
        age = ExpressionWrapper(Now() - F("timestamp"), DurationField())  # both by the database's clock
        newest: Any = StatusLog.objects.annotate(age=age).order_by("id").last()
        if newest:
            yield _executions(newest)
            yield _gauge("gef_status_log_newest_id", "The id of the status log's newest row.", newest.id)
            seconds = max(newest.age.total_seconds(), 0)
            yield _gauge("gef_status_log_newest_age_seconds", "The time since the newest row.", seconds)
        if check := CountCheck.objects.last():
            yield _gauge(
                "gef_status_log_drift",
                "1 if the last check found that the newest row's counts are not the true ones, else 0.",
                int(bool(check.fault)),
            )
            yield _gauge(
                "gef_status_log_check_timestamp_seconds",
                "When the counts were last checked, in seconds since 1970.",
                check.checked_at.timestamp(),
            )


def _executions(newest: StatusLog) -> GaugeMetricFamily:
    family = GaugeMetricFamily("gef_executions", "How many executions are in each status.", labels=["status"])
    for status in Status:
        family.add_metric([status], getattr(newest, count_field(status)))
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


registry = CollectorRegistry()
registry.register(LedgerCollector())
