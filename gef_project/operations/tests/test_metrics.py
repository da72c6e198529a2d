"""What a Prometheus server gets, and who does not."""

from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from rest_framework.test import APIClient

from executions.models import Execution
from executions.tests.factories import ExecutionFactory
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from gef_project.operations import tasks
from status.models import StatusLog
from status.states import Status
from status.tests.ledger_builders import execute_without_triggers

pytestmark = pytest.mark.django_db

TOKEN = "0123456789abcdef"
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.7,*/*;q=0.1"


@pytest.fixture
def scraper(settings: Settings) -> APIClient:
    settings.METRICS_TOKEN = TOKEN
    return APIClient(headers={"Authorization": f"Bearer {TOKEN}", "Accept": "text/plain;version=0.0.4"})


def scraped(client: APIClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_executions_are_counted_per_status(scraper: APIClient) -> None:
    ExecutionFactory(status=Status.RUNNING)
    for _ in range(2):
        ExecutionFactory(status=Status.FINISHED)
    executions = {
        name: value for name, value in scraped(scraper).items() if name.startswith("gef_executions ")
    }
    expected = {"RUNNING": 1, "FINISHED": 2}
    assert executions == {f"gef_executions {status}": expected.get(status, 0) for status in Status}


def test_the_newest_row_is_named_with_its_age(scraper: APIClient, execution: Execution) -> None:
    newest = StatusLog.objects.newest()
    execute_without_triggers(
        "UPDATE status_log SET timestamp = %s WHERE id = %s",
        [timezone.now() - timedelta(hours=1), newest.id],
    )
    metrics = scraped(scraper)
    assert metrics["gef_status_log_newest_id"] == newest.id
    assert metrics["gef_status_log_newest_age_seconds"] == pytest.approx(3600, abs=30)


def test_before_the_first_check_nothing_is_said_of_drift(scraper: APIClient) -> None:
    assert not {"gef_status_log_drift", "gef_status_log_check_timestamp_seconds"} & scraped(scraper).keys()


def test_the_last_check_is_told(scraper: APIClient, execution: Execution) -> None:
    began = timezone.now().timestamp()
    tasks.check_status_counts()
    metrics = scraped(scraper)
    assert metrics["gef_status_log_drift"] == 0
    assert began <= metrics["gef_status_log_check_timestamp_seconds"] <= timezone.now().timestamp()
    execute_without_triggers("UPDATE executions_execution SET status = 'READY'")
    tasks.check_status_counts()
    assert scraped(scraper)["gef_status_log_drift"] == 1


def test_a_scrape_looks_up_two_rows(scraper: APIClient, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        scraped(scraper)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS, "application/openmetrics-text"),
        ("text/plain;version=0.0.4", "text/plain"),
        ("*/*", "text/plain"),
        ("image/png", "text/plain"),
    ],
)
def test_the_format_is_one_that_prometheus_reads(scraper: APIClient, accept: str, content_type: str) -> None:
    answer = scraper.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith(content_type)
    assert answer.content.decode().endswith("# EOF\n") == (content_type == "application/openmetrics-text")


@pytest.mark.parametrize("sent", ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"])
def test_another_token_is_refused_as_everywhere(scraper: APIClient, sent: str) -> None:
    answer = scraper.get("/metrics", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json().keys() >= {"status", "detail", "code"}


@pytest.mark.parametrize("token", ["", "None"])
def test_without_a_token_of_the_deployment_no_token_but_staffs_is_good(
    api: APIClient, token: str, admin: User, owner: User
) -> None:
    assert api.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    refused = client_of(owner).get("/metrics", headers={"Accept": "text/plain"})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert "gef_executions PENDING" in scraped(client_of(admin))


def test_the_token_is_good_for_nothing_else(scraper: APIClient) -> None:
    assert scraper.get("/api/v1/status/current", headers={"Accept": "*/*"}).status_code == 401
