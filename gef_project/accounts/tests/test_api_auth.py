"""Logging in, refreshing, and every way in which a token can be invalid."""

from datetime import timedelta

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from executions.credentials import password, user_name
from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User

from .clients import client_of

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def person(owner: User) -> User:
    owner.set_password(PASSWORD)
    owner.save()
    return owner


def log_in(api: APIClient, email: str, secret: str):
    return api.post("/auth", {"email": email, "password": secret})


def authorized(api: APIClient, header: str):
    return api.get("/api/v1/user/me", HTTP_AUTHORIZATION=header)


@pytest.mark.parametrize("email", ["owner@example.org", "Owner@Example.org", " owner@example.org "])
def test_a_user_logs_in(api: APIClient, person: User, email: str) -> None:
    answer = log_in(api, email, PASSWORD)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "user_id", "expires_in"}
    assert (body["user_id"], body["expires_in"]) == (str(person.pk), 3600)
    assert len(body["access_token"].split(".")) == 3
    assert AccessToken(body["access_token"])["exp"]
    assert authorized(api, f"Bearer {body['access_token']}").json()["data"]["id"] == str(person.pk)


def test_who_cannot_log_in_cannot_tell_why(api: APIClient, person: User, stranger: User) -> None:
    stranger.set_password(PASSWORD)
    stranger.is_active = False
    stranger.save()
    answers = [
        log_in(api, person.email, PASSWORD + " "),
        log_in(api, "nobody@example.org", PASSWORD),
        log_in(api, stranger.email, PASSWORD),
        log_in(api, "not an address", PASSWORD),
    ]
    bodies = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)
    assert bodies == [bodies[0]] * 4
    assert bodies[0]["msg"] == bodies[0]["message"] == bodies[0]["detail"]
    assert (bodies[0]["status"], bodies[0]["code"]) == (401, "bad_credentials")


@pytest.mark.parametrize("body", [{}, {"email": "a@b.org"}, {"password": "x"}, [], "text", None])
def test_a_login_that_lacks_something_is_a_bad_request(api: APIClient, person: User, body: object) -> None:
    assert api.post("/auth", body).status_code == 400


def test_an_execution_logs_in_also_after_its_end(api: APIClient, execution: Execution) -> None:
    execution.cancel()
    body = log_in(api, user_name(execution.pk), password(execution.pk)).json()
    assert body["user_id"] == str(execution.pk)
    refreshed = api.post("/auth/refresh", {"refresh_token": body["refresh_token"]}).json()
    for token in (body["access_token"], refreshed["access_token"]):
        path = f"/api/v1/execution/{execution.pk}"
        assert api.get(path, HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200


def test_a_wrong_credential_is_refused_like_a_wrong_password(api: APIClient, execution: Execution) -> None:
    answer = log_in(api, user_name(execution.pk), "x")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")


def test_a_refresh_token_can_be_used_again_and_again(api: APIClient, person: User) -> None:
    refresh = log_in(api, person.email, PASSWORD).json()["refresh_token"]
    for _ in range(3):
        answer = api.post("/auth/refresh?legacy=false", {"refresh_token": refresh})
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] == refresh
        assert authorized(api, f"Bearer {answer.json()['access_token']}").status_code == 200


def test_an_expired_refresh_token_is_refused(api: APIClient, person: User) -> None:
    token = refresh_token_for(person)
    token.set_exp(lifetime=-timedelta(seconds=1))
    answer = api.post("/auth/refresh", {"refresh_token": str(token)})
    assert (answer.status_code, answer.json()["error"]) == (401, "token_expired")


def test_an_access_token_does_not_refresh(api: APIClient, person: User) -> None:
    answer = api.post("/auth/refresh", {"refresh_token": str(refresh_token_for(person).access_token)})
    assert (answer.status_code, answer.json()["error"]) == (401, "token_invalid")


def test_the_tokens_of_an_inactive_user_are_revoked(api: APIClient, person: User) -> None:
    refresh = refresh_token_for(person)
    person.is_active = False
    person.save()
    answers = [
        api.post("/auth/refresh", {"refresh_token": str(refresh)}),
        authorized(api, f"Bearer {refresh.access_token}"),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (401, "token_revoked")
    ] * 2


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("", "token_missing"),
        ("Basic b3duZXI6eA==", "token_missing"),
        ("Bearer", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        ("Bearer a b", "token_invalid"),
        ("Bearer é", "token_invalid"),
    ],
)
def test_an_invalid_token_answers_401(api: APIClient, db: None, header: str, error: str) -> None:
    answer = authorized(api, header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    body = answer.json()
    assert (body["status"], body["error"], body["code"]) == (401, error, error)
    assert "token" in body["detail"]


def test_an_expired_token_answers_401(api: APIClient, person: User) -> None:
    token = refresh_token_for(person).access_token
    token.set_exp(lifetime=-timedelta(seconds=1))
    answer = authorized(api, f"Bearer {token}")
    assert (answer.status_code, answer.json()["error"]) == (401, "token_expired")


def test_a_refresh_token_opens_nothing(api: APIClient, person: User) -> None:
    assert authorized(api, f"Bearer {refresh_token_for(person)}").status_code == 401


@pytest.mark.parametrize(
    "flags", [(False, False, "USER"), (True, False, "ADMIN"), (True, True, "SUPERADMIN")]
)
def test_me(owner: User, flags: tuple[bool, bool, str]) -> None:
    owner.is_staff, owner.is_superuser, role = flags
    owner.save()
    assert client_of(owner).get("/api/v1/user/me").json() == {
        "data": {
            "id": str(owner.pk),
            "email": "owner@example.org",
            "name": "A Person",
            "role": role,
            "institution": "",
            "country": "",
            "email_notifications": True,
            "created_at": f"{owner.date_joined:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
    }
