"""What only the web server as it is deployed can get wrong."""

from collections.abc import Iterator

import pytest
import requests

from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User

from .servers import Server, web_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    with web_server() as server:
        yield server


def test_a_body_may_come_in_chunks_of_unknown_length(
    server: Server, execution: Execution, admin: User
) -> None:
    answer = requests.patch(
        f"{server.url}/api/v1/execution/{execution.pk}",
        iter([b'{"prog', b'ress": 5}']),
        headers={
            "Authorization": f"Bearer {refresh_token_for(admin).access_token}",
            "Content-Type": "application/json",
        },
        timeout=30,
    )
    assert (answer.status_code, answer.json()["data"]["progress"]) == (200, 5)
