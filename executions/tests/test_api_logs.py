"""The log of an execution: lines are stored unchanged, in the order in which they came."""

import pytest

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of

pytestmark = pytest.mark.django_db


def log_path(execution: Execution) -> str:
    return f"/api/v1/execution/{execution.pk}/log"


@pytest.mark.parametrize(
    "text", ["  File <module>\n\tx  \n", "", " ", "javascript:onload=1", "é€𝄞", "x" * 100_000]
)
def test_text_is_stored_unchanged(execution: Execution, owner: User, text: str) -> None:
    answer = client_of(execution).post(log_path(execution), {"text": text, "level": "DEBUG"})
    assert answer.status_code == 200
    line = answer.json()["data"]
    assert line == {
        "id": execution.logs.get().pk,
        "text": text,
        "level": "DEBUG",
        "register_date": line["register_date"],
        "execution_id": str(execution.pk),
    }
    assert client_of(owner).get(log_path(execution)).json() == {"data": [line]}


@pytest.mark.parametrize(("sent", "kept"), [("a\0b", r"a\x00b"), ("\ud800é", r"\ud800é"), (r"\x00", r"\x00")])
def test_what_postgresql_cannot_store_is_written_out_and_not_lost(
    execution: Execution, sent: str, kept: str
) -> None:
    answer = client_of(execution).post(log_path(execution), {"text": sent, "level": "INFO"})
    assert answer.status_code == 200
    assert answer.json()["data"]["text"] == execution.logs.get().text == kept


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"level": "INFO"}, "text"),
        ({"text": "a"}, "level"),
        ({"text": "a", "level": "WARN"}, "level"),
        ({"text": "a", "level": "info"}, "level"),
        ({"text": "x" * 100_001, "level": "INFO"}, "text"),
        ({"text": None, "level": "INFO"}, "text"),
    ],
)
def test_what_cannot_be_kept_is_refused(execution: Execution, body: dict[str, str], field: str) -> None:
    answer = client_of(execution).post(log_path(execution), body)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {field}
    assert not execution.logs.exists()


def test_lines_are_stored_after_the_end(execution: Execution) -> None:
    execution.cancel()
    answer = client_of(execution).post(log_path(execution), {"text": "bye", "level": "ERROR"})
    assert answer.status_code == 200


def test_lines_come_oldest_first_and_all_of_them(execution: Execution, owner: User) -> None:
    for n in range(120):
        execution.log(str(n), "INFO")
    lines = client_of(owner).get(log_path(execution)).json()["data"]
    assert [line["text"] for line in lines] == [str(n) for n in range(120)]


def test_lines_after_a_time_or_a_line(execution: Execution, owner: User) -> None:
    first, second, third = (execution.log(str(n), "INFO") for n in range(3))
    start = second.register_date.isoformat()
    for query in (f"start={start}", f"last-id={second.pk}", f"last-id={first.pk}&start={start}"):
        lines = client_of(owner).get(f"{log_path(execution)}?{query}").json()["data"]
        assert [line["id"] for line in lines] == [third.pk]


def test_an_offset_whose_plus_was_lost_is_read(execution: Execution, owner: User) -> None:
    execution.log("now", "INFO")
    lines = client_of(owner).get(f"{log_path(execution)}?start=2100-01-01T00:00:00 00:00").json()["data"]
    assert lines == []


@pytest.mark.parametrize("query", [{"start": "yesterday"}, {"last-id": "x"}, {"last-id": "1e9"}])
def test_what_cannot_be_read_is_refused(execution: Execution, owner: User, query: dict[str, str]) -> None:
    answer = client_of(owner).get(log_path(execution), query)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(query)
