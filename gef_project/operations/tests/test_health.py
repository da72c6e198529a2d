import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from gef_project.common.datetimes import format_datetime


@pytest.mark.django_db
def test_a_working_service_is_ok(api: APIClient, settings: Settings, django_assert_num_queries) -> None:
    settings.DEPLOYMENT = {"commit_sha": "abc", "branch": "main", "environment": "test"}
    with django_assert_num_queries(1):
        answer = api.get("/api-health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "healthy",
        "timestamp": answer.json()["timestamp"],
        "deployment": {"commit_sha": "abc", "branch": "main", "environment": "test"},
    }


@pytest.mark.django_db
def test_it_tells_the_time_like_every_answer(api: APIClient) -> None:
    before = format_datetime(timezone.now())
    assert before <= api.get("/api-health").json()["timestamp"] <= format_datetime(timezone.now())


@pytest.mark.django_db
def test_what_is_not_known_of_the_deployment_is_a_text_too(api: APIClient) -> None:
    deployment = api.get("/api-health").json()["deployment"]
    assert set(deployment) == {"commit_sha", "branch", "environment"}
    assert all(isinstance(text, str) for text in deployment.values())


@pytest.mark.django_db(transaction=True)
def test_a_service_without_its_database_is_not(api: APIClient) -> None:
    connection.close()
    name, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], "no_such_database"
    try:
        answer = api.get("/api-health")
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["database"]) == ("unhealthy", "unhealthy")
