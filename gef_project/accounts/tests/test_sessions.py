"""Sessions: logging out, exchanging refresh tokens, and how long revoked tokens are kept."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from executions.models import Execution
from gef_project.accounts.authentication import ExecutionCredential, refresh_token_for
from gef_project.accounts.models import RevokedToken, User
from gef_project.accounts.tasks import forget_expired
from status.tests.concurrency import race

from .clients import client_of

pytestmark = pytest.mark.django_db

ME = "/api/v1/user/me"


@pytest.fixture
def session(owner: User) -> RefreshToken:
    return refresh_token_for(owner)


def client_with(refresh: RefreshToken) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh.access_token}")
    return client


def refreshed(refresh: object, query: str = ""):
    return APIClient().post(f"/auth/refresh{query}", {"refresh_token": str(refresh)})


def is_over(refresh: RefreshToken) -> bool:
    answers = [client_with(refresh).get(ME), refreshed(refresh)]
    assert len({answer.status_code for answer in answers}) == 1
    if answers[0].status_code == 200:
        return False
    assert [answer.json()["error"] for answer in answers] == ["token_revoked"] * 2
    return True


def test_logging_out_ends_the_session_and_no_other(owner: User, session: RefreshToken) -> None:
    other = refresh_token_for(owner)
    earlier = client_with(session)
    assert client_with(session).post("/auth/logout").json() == {"msg": "Logged out."}
    assert is_over(session)
    assert earlier.get(ME).status_code == 401
    assert not is_over(other)


def test_a_refresh_token_in_the_body_ends_its_session_too(owner: User, session: RefreshToken) -> None:
    other = refresh_token_for(owner)
    assert client_with(session).post("/auth/logout", {"refresh_token": str(other)}).status_code == 200
    assert is_over(session)
    assert is_over(other)


@pytest.mark.parametrize("token", ["", None, "gone", "a.b.c"])
def test_a_refresh_token_that_is_none_does_not_keep_one_logged_in(
    session: RefreshToken, token: str | None
) -> None:
    assert client_with(session).post("/auth/logout", {"refresh_token": token}).status_code == 200
    assert is_over(session)


@pytest.mark.parametrize("body", [{"refresh_token": ["a"]}, {"refresh_token": "\ud800"}, [], "text"])
def test_a_body_that_cannot_be_read_logs_nobody_out(session: RefreshToken, body: object) -> None:
    assert client_with(session).post("/auth/logout", body).status_code == 400
    assert not is_over(session)


def test_logging_out_twice_is_not_possible(session: RefreshToken) -> None:
    client = client_with(session)
    client.post("/auth/logout")
    assert client.post("/auth/logout").json()["error"] == "token_revoked"


def test_logging_out_everywhere_ends_every_session_of_that_user(
    owner: User, stranger: User, session: RefreshToken
) -> None:
    other, theirs = refresh_token_for(owner), refresh_token_for(stranger)
    assert client_with(session).post("/auth/logout-all").status_code == 200
    assert is_over(session)
    assert is_over(other)
    assert not is_over(theirs)
    owner.refresh_from_db()
    assert not is_over(refresh_token_for(owner))


def test_a_new_password_ends_every_session_but_a_better_hash_does_not(
    owner: User, session: RefreshToken, settings
) -> None:
    settings.PASSWORD_HASHERS = [
        f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("MD5", "PBKDF2")
    ]
    owner.set_password("correct horse")
    owner.save()
    assert is_over(session)
    session = refresh_token_for(owner)
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]
    assert owner.check_password("correct horse")
    assert owner.password.startswith("pbkdf2")
    assert not is_over(session)


def test_an_executions_credential_has_no_session_to_end(execution: Execution) -> None:
    for path in ("/auth/logout", "/auth/logout-all"):
        assert client_of(execution).post(path).status_code == 403


def test_rotating_exchanges_the_refresh_token(owner: User, session: RefreshToken) -> None:
    answer = refreshed(session, "?rotate=true")
    assert answer.status_code == 200
    successor = RefreshToken(answer.json()["refresh_token"])
    assert successor["session"] == session["session"]
    assert successor["exp"] >= session["exp"]
    assert refreshed(session).json()["error"] == "token_revoked"
    assert refreshed(session, "?rotate=true").json()["error"] == "token_revoked"
    assert not is_over(successor)
    assert client_with(session).get(ME).status_code == 200  # an access token stays what it is
    client_with(successor).post("/auth/logout")
    assert is_over(successor)
    assert client_with(session).get(ME).status_code == 401


@pytest.mark.parametrize("query", ["", "?legacy=false", "?rotate=false", "?legacy=false&rotate=0", "?rotate"])
def test_nothing_else_rotates(session: RefreshToken, query: str) -> None:
    assert refreshed(session, query).json()["refresh_token"] == str(session)
    assert not is_over(session)


def test_an_executions_refresh_token_is_not_rotated(execution: Execution) -> None:
    token = refresh_token_for(ExecutionCredential(execution.pk))
    assert refreshed(token, "?rotate=true").json()["refresh_token"] == str(token)


@pytest.mark.django_db(transaction=True)
def test_a_refresh_token_is_exchanged_once_only(session: RefreshToken) -> None:
    answers = race(4, lambda _: refreshed(session, "?rotate=true").status_code)
    assert sorted(answers) == [200, 401, 401, 401]


def test_a_token_of_an_older_version_is_invalid(owner: User) -> None:
    for token in (AccessToken.for_user(owner), RefreshToken.for_user(owner).access_token):
        answer = APIClient().get(ME, HTTP_AUTHORIZATION=f"Bearer {token}")
        assert (answer.status_code, answer.json()["error"]) == (401, "token_invalid")


def test_a_token_costs_one_query(owner: User, session: RefreshToken, execution: Execution) -> None:
    with CaptureQueriesContext(connection) as queries:
        client_with(session).get(ME)
    assert len(queries) == 1
    assert "accounts_revokedtoken" in queries[0]["sql"]
    with CaptureQueriesContext(connection) as queries:
        client_of(execution).get(f"/api/v1/execution/{execution.pk}")
    assert len(queries) == 1


def test_a_revoked_token_is_kept_until_it_would_have_expired(session: RefreshToken) -> None:
    client_with(session).post("/auth/logout")
    revoked = RevokedToken.objects.get()
    assert revoked.expires_at >= timezone.now() + timedelta(days=29)
    forget_expired()
    assert is_over(session)
    RevokedToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    forget_expired()
    assert not RevokedToken.objects.exists()
