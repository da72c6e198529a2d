"""Rows that the database serializes equal those of the schema's serializer."""

import json
from datetime import timedelta

import pytest

from executions.models import Execution
from gef_project.accounts.models import User
from status.models import StatusLog
from status.row_json import encode_row, serialize_rows
from status.serializers import StatusLogSerializer
from status.states import Status

from .ledger_builders import set_times

pytestmark = pytest.mark.django_db


@pytest.fixture
def logs(execution: Execution, admin: User) -> list[StatusLog]:
    """A snapshot, a creation, two transitions and a deletion; one without a fraction of a second."""
    execution.update_status(Status.RUNNING, actor=admin, source="shell", reason="“why”\n\t\\ é 🙂 </script>")
    execution.update_status(Status.FAILED)
    Execution.objects.all().delete()
    newest = StatusLog.objects.newest().timestamp.replace(microsecond=0)
    return set_times([newest + timedelta(microseconds=count) for count in (0, 1, 20, 300_000, 300_000)])


def test_they_equal_what_the_serializer_returns(logs: list[StatusLog]) -> None:
    rows = serialize_rows(StatusLog.objects.order_by("id"))
    assert rows == list(StatusLogSerializer(logs, many=True).data)
    assert [list(row) for row in rows] == [StatusLogSerializer.Meta.fields] * 5


def test_their_json_is_one_line_of_ascii(logs: list[StatusLog]) -> None:
    for row in serialize_rows(StatusLog.objects.order_by("id")):
        assert json.loads(encode_row(row).decode("ascii")) == row
        assert b"\n" not in encode_row(row)
