"""Section 1 of the clients' contract: paths, bodies, codes, errors and dates."""

import gzip
import json
import re
from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of

pytestmark = pytest.mark.django_db

API = "/api/v1"
REQUESTS: list[tuple[str, str, object]] = [
    ("patch", "execution/{}", {"progress": 3}),
    ("post", "execution/{}/log", {"text": "x" * 2000, "level": "INFO"}),
    ("post", "script/sums/run", {"task_name": "é" * 2000}),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_body_arrives_gzipped_with_or_without_a_slash_and_is_answered_200(
    execution: Execution, admin: User, method: str, path: str, body: object, slash: str
) -> None:
    answer = getattr(client_of(admin), method)(
        f"{API}/{path.format(execution.pk)}{slash}",
        gzip.compress(json.dumps(body).encode()),
        content_type="application/json",
        headers={
            "Content-Encoding": "gzip",
            "Accept-Encoding": "gzip, deflate, br",
            "X-TE-Client": "type=cli",
        },
    )
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"


def test_logging_in_may_be_gzipped_too(owner: User, api: APIClient) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    body = json.dumps({"email": owner.email, "password": "correct horse battery"}).encode()
    answer = api.post(
        "/auth", gzip.compress(body), content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 200


def test_results_of_some_megabytes_fit(execution: Execution) -> None:
    results = {"rows": [[n, n / 7, "é" * 10] for n in range(100_000)]}
    body = json.dumps({"results": results}).encode()
    assert len(body) > 5_000_000
    path = f"{API}/execution/{execution.pk}"
    answer = client_of(execution).patch(
        path, gzip.compress(body), content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert answer.json()["data"]["results"] == results


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout-all", f"{API}/execution/{{}}/cancel"])
@pytest.mark.parametrize("body", [None, b"{}"])
def test_a_post_without_anything_to_say_needs_no_body_and_no_content_type(
    execution: Execution, owner: User, path: str, body: bytes | None
) -> None:
    token = refresh_token_for(owner).access_token
    send: Callable[..., object] = Client(headers={"Authorization": f"Bearer {token}"}).generic
    kind = {"content_type": "application/json"} if body else {"content_type": ""}
    answer = send("POST", path.format(execution.pk), body or b"", **kind)
    assert answer.status_code in (200, 202)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "word"),
    [("", "token"), ("Bearer x", "token"), ("Bearer a.b.c", "token"), ("Basic eDp5", "token")],
)
def test_a_token_that_is_no_good_is_401_and_says_so_in_words_that_clients_look_for(
    api: APIClient, header: str, word: str
) -> None:
    for path in ("user/me", "execution", "status", "status/cluster", "execution/x/log"):
        answer = api.get(f"{API}/{path}", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["status"]) == (401, 401)
        assert word in answer.json()["detail"]
        assert answer.json()["error"].startswith("token_")
        assert answer["WWW-Authenticate"]


def test_every_error_has_a_status_and_a_detail(execution: Execution, owner: User, stranger: User) -> None:
    execution.cancel()
    path = f"{API}/execution/{execution.pk}"
    answers = [
        client_of(owner).post(f"{path}/cancel"),
        client_of(owner).patch(path, {}),
        client_of(stranger).get(path),
        client_of(execution).patch(path, {"status": "RUNNING"}),
        client_of(owner).put(path, {}),
        client_of(execution).patch(path, "{", content_type="text/plain"),
    ]
    assert [answer.status_code for answer in answers] == [400, 403, 404, 409, 405, 415]
    for answer in answers:
        assert answer.json()["status"] == answer.status_code
        assert isinstance(answer.json()["detail"], str)
        assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["execution", "execution/{}", "execution/{}/log", "status", "user/me"])
def test_head_is_answered_like_get_without_the_body(execution: Execution, admin: User, path: str) -> None:
    get, head = (
        getattr(client_of(admin), method)(f"{API}/{path.format(execution.pk)}") for method in ("get", "head")
    )
    assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head["Content-Length"] == get["Content-Length"]


@pytest.mark.parametrize(
    "path", ["/stats/dashboard", "/stats/users", f"{API}/stats/executions", f"{API}/admin/client-stats"]
)
def test_statistics_that_are_not_kept_are_a_clean_404(admin: User, path: str) -> None:
    answer = client_of(admin).get(path)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_every_date_of_an_answer_has_one_form(execution: Execution, admin: User) -> None:
    execution.log("a", "INFO")
    Execution.objects.update(start_date=execution.start_date.replace(microsecond=0))
    execution.cancel()
    pages = [
        f"execution/{execution.pk}?include=script,user,logs",
        f"execution/{execution.pk}/log",
        "status",
        "status/cluster",
        "user/me",
    ]
    for page in pages:
        dates = re.findall(r'"(\d{4}-\d\d-\d\d.*?)"', client_of(admin).get(f"{API}/{page}").content.decode())
        assert dates
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", date) for date in dates)


@pytest.mark.parametrize(
    "path",
    [
        "execution?updated_at={}",
        "execution?filter=start_date>='{}'",
        "execution/<id>/log?start={}",
        "status?start_date={}",
    ],
)
def test_a_plus_that_arrives_as_a_space_is_read_as_a_plus(
    execution: Execution, admin: User, path: str
) -> None:
    path = path.replace("<id>", str(execution.pk))
    execution.log("a", "INFO")
    client = client_of(admin)
    for time, seen in (("2000-01-01T00:00:00 00:00", True), ("2100-01-01T00:00:00 00:00", False)):
        answer = client.get(f"{API}/{path.format(time)}")
        assert (answer.status_code, bool(answer.json()["data"])) == (200, seen)
