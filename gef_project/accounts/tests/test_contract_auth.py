"""Sections 2 and 3 of the clients' contract: logging in, and who one is. See ``test_sessions.py`` too."""

import base64
import json
import time
from uuid import UUID

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from gef_project.accounts import login_throttle
from gef_project.accounts.models import User

from .clients import client_of
from .clock import Clock

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ME = "/api/v1/user/me"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def worker(admin: User) -> User:
    """The account that all workers share."""
    admin.set_password(PASSWORD)
    admin.save()
    return admin


def log_in(email: str = "admin@example.org", secret: str = PASSWORD):
    return APIClient().post("/auth", {"email": email, "password": secret})


def refresh(token: str, query: str = ""):
    return APIClient().post(f"/auth/refresh{query}", {"refresh_token": token})


def me(access_token: str):
    return APIClient().get(ME, headers={"Authorization": f"Bearer {access_token}"})


def test_logging_in_and_refreshing_answer_the_same_four_keys(worker: User) -> None:
    first = log_in()
    second = refresh(first.json()["refresh_token"])
    for answer in (first, second):
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"access_token", "refresh_token", "user_id", "expires_in"}
        assert UUID(body["user_id"]) == worker.pk
        assert type(body["expires_in"]) is int
        assert me(body["access_token"]).status_code == 200


def test_the_access_token_is_a_jwt_that_says_when_it_expires(worker: User) -> None:
    body = log_in().json()
    _, claims, _ = body["access_token"].split(".")
    expires = json.loads(base64.urlsafe_b64decode(claims + "=="))["exp"]
    assert expires - time.time() > 5 * 60 + 70
    assert body["expires_in"] == 3600


def test_the_refresh_token_stays_valid_for_thirty_days(worker: User, settings: Settings) -> None:
    token = log_in().json()["refresh_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600
    for query in ("?legacy=false", "", "?legacy=false"):
        assert refresh(token, query).json()["refresh_token"] == token


def test_a_bad_login_is_401_with_every_key_that_clients_read(worker: User) -> None:
    for answer in (log_in(secret="wrong"), log_in("nobody@example.org")):
        body = answer.json()
        assert answer.status_code == body["status"] == 401
        assert body["msg"] == body["message"] == body["detail"] == "The email or the password is wrong."


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_an_unknown_refresh_token_is_401(db: None, token: str) -> None:
    assert refresh(token or "x").status_code == 401


@pytest.mark.parametrize("body", ["token", "{}", "nothing"])
def test_after_logging_out_both_tokens_are_dead(worker: User, body: str) -> None:
    tokens = log_in().json()
    client = APIClient(headers={"Authorization": f"Bearer {tokens['access_token']}"})
    sent = {"token": {"refresh_token": tokens["refresh_token"]}, "{}": {}, "nothing": None}[body]
    answer = client.post("/auth/logout", sent)
    assert (answer.status_code, list(answer.json())) == (200, ["msg"])
    dead = me(tokens["access_token"])
    assert (dead.status_code, dead.json()["error"]) == (401, "token_revoked")
    assert refresh(tokens["refresh_token"]).status_code == 401


def test_logging_in_ends_no_other_session(worker: User) -> None:
    sessions = [log_in().json() for _ in range(12)]
    for tokens in sessions:
        assert me(tokens["access_token"]).status_code == 200
        assert refresh(tokens["refresh_token"]).status_code == 200


def test_me_has_what_clients_switch_on(worker: User) -> None:
    data = me(log_in().json()["access_token"]).json()["data"]
    assert UUID(data["id"]) == worker.pk
    assert data["role"] == "SUPERADMIN"
    assert {"email", "name", "institution", "country", "email_notifications", "created_at"} <= set(data)


def test_users_change_their_own_fields(owner: User) -> None:
    changes = {"name": "New Name", "institution": "I", "country": "Kenya", "email_notifications": False}
    data = client_of(owner).patch(ME, changes).json()["data"]
    assert {name: data[name] for name in changes} == changes
    assert client_of(owner).patch(ME, {}).json()["data"] == data
    stored = User.objects.get(pk=owner.pk)
    assert (stored.name, stored.email_notifications) == ("New Name", False)


def test_users_change_neither_their_rights_nor_their_email(owner: User) -> None:
    changes = {"role": "ADMIN", "is_staff": True, "is_superuser": True, "email": "x@example.org", "id": "1"}
    assert client_of(owner).patch(ME, changes).status_code == 200
    stored = User.objects.get(pk=owner.pk)
    assert (stored.email, stored.role) == (owner.email, "USER")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 121},
        {"name": "a\0"},
        {"name": None},
        {"country": "\ud800"},
        {"email_notifications": "perhaps"},
        {"password": "another phrase"},
        {"password": "another phrase", "old_password": "wrong"},
        {"password": "12345", "old_password": PASSWORD},
    ],
)
def test_a_change_that_cannot_be_is_refused(worker: User, changes: dict[str, object]) -> None:
    answer = client_of(worker).patch(ME, changes)
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 1
    assert log_in().status_code == 200


def test_a_new_password_needs_the_old_one_and_ends_every_session(worker: User) -> None:
    tokens = log_in().json()
    changes = {"password": "another phrase", "old_password": PASSWORD}
    assert client_of(worker).patch(ME, changes).status_code == 200
    assert me(tokens["access_token"]).json()["error"] == "token_revoked"
    assert log_in().status_code == 401
    assert log_in(secret="another phrase").status_code == 200


def test_the_old_password_cannot_be_guessed_either(worker: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_throttle, "timezone", Clock())
    client = client_of(worker)
    guess = {"password": "another phrase", "old_password": "guess"}
    codes = [client.patch(ME, guess).status_code for _ in range(11)]
    assert codes == [400] * 10 + [429]
