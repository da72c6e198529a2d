"""Section 5 of the clients' contract: the lines of an execution's log. See ``test_api_logs.py`` too."""

import pytest

from executions.models import Execution
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.tests.concurrency import race

pytestmark = pytest.mark.django_db


def path(execution: Execution) -> str:
    return f"/api/v1/execution/{execution.pk}/log"


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_a_worker_writes_a_line_and_gets_exactly_200(execution: Execution, admin: User, level: str) -> None:
    text = "x" * 9000 + " … (cut)"
    answer = client_of(admin).post(path(execution), {"text": text, "level": level})
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert set(data) == {"id", "text", "level", "register_date", "execution_id"}
    assert (data["text"], data["level"], data["execution_id"]) == (text, level, str(execution.pk))


@pytest.mark.django_db(transaction=True)
def test_several_threads_write_at_once_and_no_line_is_lost(execution: Execution, owner: User) -> None:
    def write(number: int) -> int:
        body = {"text": str(number), "level": "INFO"}
        return client_of(execution).post(path(execution), body).status_code

    assert race(12, write) == [200] * 12
    lines = client_of(owner).get(path(execution)).json()["data"]
    assert sorted(int(line["text"]) for line in lines) == list(range(12))
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)


def test_all_lines_come_at_once_and_sort_as_text_as_they_were_written(
    execution: Execution, owner: User
) -> None:
    for number in range(150):
        execution.log(str(number), "INFO")
    lines = client_of(owner).get(f"{path(execution)}?page=1&per_page=10").json()["data"]
    assert len(lines) == 150
    dates = [line["register_date"] for line in lines]
    assert dates == sorted(dates)


@pytest.mark.parametrize(
    "text",
    [
        'File "<string>", line 1, in <module>',
        "    indented\n\ttoo\r\n",
        "javascript:alert(1) onload=x <script>",
        "\x1b[31mred\x07",
    ],
)
def test_text_is_neither_cleaned_nor_refused(execution: Execution, owner: User, text: str) -> None:
    client_of(execution).post(path(execution), {"text": text, "level": "ERROR"})
    assert client_of(owner).get(path(execution)).json()["data"][0]["text"] == text


@pytest.mark.parametrize("number", [10**30, -(10**30), 2**63])
def test_a_line_that_cannot_be_has_no_lines_or_all_after_it(
    execution: Execution, owner: User, number: int
) -> None:
    execution.log("a", "INFO")
    answer = client_of(owner).get(path(execution), {"last-id": str(number)})
    assert (answer.status_code, len(answer.json()["data"])) == (200, 1 if number < 0 else 0)
