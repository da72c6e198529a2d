"""How often somebody may try to log in, and who never has to wait."""

import pytest
from django.contrib.auth import authenticate, hashers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from executions.credentials import password, user_name
from executions.models import Execution
from gef_project.accounts import login_throttle, models
from gef_project.accounts.login_throttle import FREE, FREE_FOR_ALL, network
from gef_project.accounts.models import LoginAttempts, User
from gef_project.accounts.tasks import forget_expired
from gef_project.common.errors import TooManyAttempts
from status.tests.concurrency import race

from .clock import Clock

pytestmark = pytest.mark.django_db

RIGHT, WRONG = "correct horse battery", "wrong"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (login_throttle, models):
        monkeypatch.setattr(module, "timezone", clock)
    return clock


@pytest.fixture
def person(admin: User) -> User:
    admin.set_password(RIGHT)
    admin.save()
    return admin


def log_in(email: str, secret: str, address: str = "192.0.2.1"):
    return APIClient(REMOTE_ADDR=address).post("/auth", {"email": email, "password": secret})


def fail(times: int, email: str = "admin@example.org", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        assert log_in(email, WRONG, address).status_code == 401


@pytest.mark.parametrize("email", ["admin@example.org", "nobody@example.org"])
def test_after_some_failures_the_next_attempt_has_to_wait(person: User, email: str) -> None:
    fail(FREE, email)
    answer = log_in(email.upper(), RIGHT)
    assert answer.status_code == 429
    assert answer["Retry-After"] == "1"
    body = answer.json()
    assert (body["status"], body["code"]) == (429, "too_many_attempts")
    assert body["detail"] == body["msg"] == body["message"]


def test_each_further_failure_doubles_the_wait(clock: Clock, person: User) -> None:
    fail(FREE)
    for expected in (1, 2, 4, 8):
        assert log_in(person.email, WRONG)["Retry-After"] == str(expected)
        clock.advance(seconds=expected)
        fail(1)
    LoginAttempts.objects.update(failures=10**6)
    assert log_in(person.email, WRONG)["Retry-After"] == "900"


def test_an_attempt_that_was_refused_does_not_count(clock: Clock, person: User) -> None:
    fail(FREE)
    for _ in range(5):
        assert log_in(person.email, WRONG).status_code == 429
    clock.advance(seconds=1)
    assert log_in(person.email, RIGHT).status_code == 200
    assert log_in(person.email, RIGHT).status_code == 200


def test_an_hour_without_a_failure_resets_the_count(clock: Clock, person: User) -> None:
    fail(FREE)
    clock.advance(hours=1, seconds=1)
    fail(FREE)
    assert log_in(person.email, RIGHT).status_code == 429


def test_nobody_locks_an_account_for_other_addresses(person: User) -> None:
    fail(FREE)
    assert log_in(person.email, RIGHT, "192.0.2.1").status_code == 429
    assert log_in(person.email, RIGHT, "192.0.2.2").status_code == 200


def test_where_a_password_was_right_it_is_taken_at_any_time(clock: Clock, person: User) -> None:
    assert log_in(person.email, RIGHT).status_code == 200
    fail(3 * FREE)
    assert log_in(person.email, RIGHT).status_code == 200
    clock.advance(days=1, seconds=1)
    fail(FREE)
    assert log_in(person.email, RIGHT).status_code == 429


def test_an_address_cannot_try_one_account_after_the_other(person: User, stranger: User) -> None:
    assert log_in(person.email, RIGHT).status_code == 200
    for number in range(FREE_FOR_ALL):
        fail(1, f"{number}@example.org")
    assert log_in(stranger.email, WRONG).status_code == 429
    assert log_in(person.email, RIGHT).status_code == 200
    assert log_in(stranger.email, WRONG, "192.0.2.2").status_code == 401


def test_a_login_for_every_report_is_not_a_write_for_every_login(person: User) -> None:
    log_in(person.email, RIGHT)
    with CaptureQueriesContext(connection) as queries:
        log_in(person.email, RIGHT)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "SELECT"]


@pytest.mark.django_db(transaction=True)
def test_many_log_in_at_once_and_end_no_session(person: User) -> None:
    tokens = [answer.json()["access_token"] for answer in race(8, lambda _: log_in(person.email, RIGHT))]
    for token in tokens:
        me = APIClient().get("/api/v1/user/me", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert me.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_failures_at_once_are_all_counted(person: User) -> None:
    race(6, lambda _: fail(1))
    assert sorted(LoginAttempts.objects.values_list("failures", flat=True)) == [6, 6]


def log_in_to_admin(email: str, secret: str, **query: str):
    url = reverse("admin:login", query=query)
    return Client(REMOTE_ADDR="192.0.2.1").post(url, {"username": email, "password": secret})


def test_the_admin_has_the_same_limit(person: User) -> None:
    for _ in range(FREE):
        assert "Please enter the correct email" in log_in_to_admin(person.email, WRONG).text
    assert "Logging in has failed too often. Try again in 1 s." in log_in_to_admin(person.email, RIGHT).text
    assert log_in(person.email, RIGHT).status_code == 429


def test_the_admin_opens_after_a_log_in_also_without_a_page_to_return_to(person: User) -> None:
    assert log_in_to_admin(person.email, RIGHT)["Location"] == reverse("admin:index")
    elsewhere = log_in_to_admin(person.email, RIGHT, next="https://elsewhere.example/")
    assert elsewhere["Location"] == reverse("admin:index")


def test_code_without_a_request_has_the_limit_too(person: User) -> None:
    for _ in range(FREE):
        assert authenticate(email=person.email, password=WRONG) is None
    with pytest.raises(TooManyAttempts):
        authenticate(email=person.email, password=RIGHT)


def test_an_execution_does_not_log_in_to_the_admin(execution: Execution) -> None:
    answer = log_in_to_admin(user_name(execution.pk), password(execution.pk))
    assert (answer.status_code, "sessionid" in answer.cookies) == (200, False)


def test_an_executions_credential_is_not_held_up(execution: Execution) -> None:
    name = user_name(execution.pk)
    fail(FREE, name)
    assert log_in(name, WRONG).status_code == 429
    assert log_in(name, password(execution.pk)).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (1, "no address \0", ""),
    ],
)
def test_only_trusted_proxies_set_the_address(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
    client = APIClient(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    answer = client.post("/auth", {"email": "a@example.org", "password": WRONG})
    assert answer.status_code == 401
    assert set(LoginAttempts.objects.values_list("address", flat=True)) == {address}


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.1:80", ""),
        ("", ""),
    ],
)
def test_one_client_has_one_address(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize(
    ("email", "right"), [("admin@example.org", False), ("nobody@example.org", False), ("", True)]
)
def test_every_answer_costs_one_hash(
    person: User, stranger: User, monkeypatch: pytest.MonkeyPatch, email: str, right: bool
) -> None:
    hashed = []
    encode = hashers.MD5PasswordHasher.encode

    def counting(self: hashers.MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counting)
    log_in(email or person.email, RIGHT if right else WRONG)
    assert len(hashed) == 1


def test_old_attempts_are_deleted(clock: Clock, person: User) -> None:
    fail(1)
    log_in(person.email, RIGHT, "192.0.2.2")
    forget_expired()
    assert LoginAttempts.objects.count() == 3
    clock.advance(days=1, seconds=1)
    forget_expired()
    assert not LoginAttempts.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a\0b@example.org", "password": "x"},
        {"email": "a@example.org", "password": "x\0"},
        {"email": "\ud800@example.org", "password": "x"},
        {"email": "a" * 300, "password": "x"},
        {"email": "a@example.org", "password": "x" * 5000},
        {"email": ["a@example.org"], "password": {"x": 1}},
    ],
)
def test_what_cannot_be_a_login_is_a_bad_request(db: None, body: dict[str, object]) -> None:
    assert APIClient().post("/auth", body).status_code == 400
    assert not LoginAttempts.objects.exists()
