"""What only the deployed web server can get wrong."""

from collections.abc import Iterator

import pytest
import requests

from executions.api.filter_grammar import MAX_TERMS
from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User

from .servers import Server, web_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    with web_server() as server:
        yield server


@pytest.fixture
def headers(admin: User) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {refresh_token_for(admin).access_token}",
        "Content-Type": "application/json",
    }


def test_a_body_may_come_in_chunks_of_unknown_length(
    server: Server, execution: Execution, headers: dict[str, str]
) -> None:
    path = f"{server.url}/api/v1/execution/{execution.pk}"
    answer = requests.patch(path, iter([b'{"prog', b'ress": 5}']), headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["data"]["progress"]) == (200, 5)


def test_a_filter_with_all_its_terms_fits_into_a_request(server: Server, headers: dict[str, str]) -> None:
    long = ",".join(["script_name!='the name of some script'"] * MAX_TERMS)
    answer = requests.get(f"{server.url}/api/v1/execution", {"filter": long}, headers=headers, timeout=30)
    assert answer.status_code == 200
