"""``filter`` and ``sort`` over the API, compared with the same in plain Python."""

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executions.api.filter_fields import EXECUTION_FIELDS
from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from gef_project.accounts.tests.factories import UserFactory
from status.states import Status

from .factories import ExecutionFactory, ScriptFactory

pytestmark = pytest.mark.django_db

LIST = "/api/v1/execution"
NAMES = ["Land Cover", "land cover", "it's", "50%", "a_b", "axb", "a\\b", "É, (x) OR ''"]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def executions(db: None) -> dict[str, dict[str, Any]]:
    """Some of everything, by id, each as the fields that a filter knows."""
    for number, name in enumerate(NAMES):
        person = UserFactory(name=name.upper(), email=f"P{number % 3}.{number}@example.org")
        one = ExecutionFactory(user=person, script=ScriptFactory(name=name), status=list(Status)[number % 6])
        start = NEW_YEAR + timedelta(days=number // 2)
        end = start + timedelta(seconds=number * 1.5) if one.has_ended else None
        Execution.objects.filter(pk=one.pk).update(start_date=start, end_date=end, progress=number * 10)
    return {str(one.pk): _facts(one) for one in Execution.objects.select_related("script", "user")}


def _facts(one: Execution) -> dict[str, Any]:
    return {
        "id": one.pk,
        "script_id": one.script_id,
        "user_id": one.user_id,
        "status": one.status,
        "script_name": one.script.name,
        "user_name": one.user.name,
        "user_email": one.user.email,
        "progress": one.progress,
        "duration": one.duration.total_seconds(),
        "start_date": one.start_date,
        "end_date": one.end_date,
    }


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
TEXTS = ("status", "script_name", "user_name", "user_email")
IDS = ("id", "script_id", "user_id")


def holds(facts: dict[str, Any], comparison: tuple[str, str, Any]) -> bool:
    name, how, value = comparison
    fact = facts[name]
    if how == "like":
        pieces = re.split(r"(\\%|\\_|%|_)", value.lower())
        wild = {"%": ".*", "_": ".", r"\%": "%", r"\_": "_"}
        pattern = "".join(wild.get(piece) or re.escape(piece) for piece in pieces)
        return bool(re.fullmatch(pattern, str(fact).lower(), re.DOTALL))
    if fact is None:
        return False
    if type(value) is date:
        fact = fact.date()
    if name in TEXTS:
        fact, value = fact.lower(), value.lower()
    return COMPARE[how](fact, value)


def written(comparison: tuple[str, str, Any]) -> str:
    name, how, value = comparison
    if isinstance(value, int | float):
        return f"{name}{how}{value}"
    return f"{name} {how} '" + str(value).replace("'", "''") + "'"


def group_written(group: list[list[tuple[str, str, Any]]]) -> str:
    alternatives = [",".join(map(written, together)) for together in group]
    return alternatives[0] if len(group) == 1 else f"({' OR '.join(alternatives)})"


def _values(name: str) -> st.SearchStrategy[Any]:
    match name:
        case "progress":
            return st.integers(-5, 105) | st.sampled_from([10, 20.5, 10**12 - 1])
        case "duration":
            return st.integers(-1, 12) | st.sampled_from([1.5, 4.5, 7.5])
        case "start_date" | "end_date":
            time = st.integers(0, 4 * 4).map(lambda quarter: NEW_YEAR + timedelta(days=quarter / 4))
            return time | time.map(datetime.date)
        case "status":
            return st.sampled_from([*Status, "finished", "Running", "GONE"])
    return st.sampled_from(NAMES) | st.sampled_from(["", "p1.1@EXAMPLE.org", "50\\%"])


def _comparisons(ids: list[UUID]) -> st.SearchStrategy[tuple[str, str, Any]]:
    patterns = st.text(alphabet="aAbx%_\\'. 05lé", max_size=6) | st.sampled_from(
        ["%", "LAND%", r"a\_b", r"50\%"]
    )
    ordered = [name for name in EXECUTION_FIELDS if name not in (*TEXTS, *IDS)]
    return st.one_of(
        *(st.tuples(st.just(name), st.sampled_from(list(COMPARE)), _values(name)) for name in ordered),
        *(st.tuples(st.just(name), st.sampled_from(["=", "!="]), _values(name)) for name in TEXTS),
        # Where letters go in the order of the database is the database's business.
        st.tuples(st.just("status"), st.sampled_from(list(COMPARE)), _values("status")),
        st.tuples(st.sampled_from(IDS), st.sampled_from(["=", "!="]), st.sampled_from(ids)),
        st.tuples(st.sampled_from([*TEXTS, *IDS]), st.just("like"), patterns),
    )


def ids_of(answer) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["data"]]


@many
@given(data=st.data())
def test_a_filter_finds_what_plain_python_finds(executions, admin: User, data: st.DataObject) -> None:
    ids = [facts[name] for facts in executions.values() for name in IDS] + [uuid4()]
    alternative = st.lists(_comparisons(ids), min_size=1, max_size=2)
    groups = data.draw(st.lists(st.lists(alternative, min_size=1, max_size=3), min_size=1, max_size=3))
    text = ",".join(map(group_written, groups))
    found = ids_of(client_of(admin).get(LIST, {"filter": text}))
    expected = {
        pk
        for pk, facts in executions.items()
        if all(any(all(holds(facts, one) for one in together) for together in group) for group in groups)
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


@many
@given(
    keys=st.lists(
        st.tuples(
            st.sampled_from(["status", "progress", "start_date", "end_date", "script_id", "user_email"]),
            st.sampled_from(["", " asc", " DESC"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_sort_orders_as_plain_python_does(executions, admin: User, keys: list[tuple[str, str]]) -> None:
    found = ids_of(client_of(admin).get(LIST, {"sort": ",".join(map("".join, keys))}))
    expected = sorted(executions, key=UUID, reverse=keys[-1][1] == " DESC")
    for name, direction in reversed(keys):
        expected.sort(key=lambda pk: _place(executions[pk][name]), reverse=direction == " DESC")
    assert found == expected


def _place(fact: Any) -> tuple[bool, Any]:
    """What has no end is later than any end."""
    return fact is None, fact or 0


@many
@given(text=st.text(alphabet="status=><'% (),orlike5-T:\0é\\") | st.text())
def test_any_text_is_answered_or_refused(admin: User, text: str) -> None:
    for parameter in ("filter", "sort"):
        answer = client_of(admin).get(f"{LIST}?{parameter}={quote(text)}")
        assert answer.status_code in (200, 400)
        if answer.status_code == 400:
            assert set(answer.json()["errors"]) == {parameter}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("colour='red'", 1),
        ("status='failed',colour='red'", 17),
        ("STATUS='failed'", 1),
        ("progress like '5%'", 10),
        ("start_date like '2026%'", 12),
        ("progress='half'", 10),
        ("progress='1e3'", 10),
        ("duration>='1:00'", 11),
        ("start_date>='yesterday'", 13),
        ("start_date>='2026-02-30'", 13),
        ("end_date<='9999-12-31T23:59:59-12:00'", 11),
        ("start_date>=2026", 13),
        ("id='1'", 4),
        ("id>'00000000-0000-0000-0000-000000000000'", 3),
    ],
)
def test_a_mistake_is_refused_with_its_position(admin: User, text: str, position: int) -> None:
    answer = client_of(admin).get(LIST, {"filter": text})
    body = answer.json()
    assert (answer.status_code, body["code"], body["position"]) == (400, "invalid", position)
    assert set(body["errors"]) == {"filter"}
    assert f"At position {position}: " in body["detail"]


@pytest.mark.parametrize("name", ["user_id", "user_name", "user_email"])
def test_fields_of_the_owner_are_for_staff(owner: User, admin: User, name: str) -> None:
    value = "00000000-0000-0000-0000-000000000000" if name == "user_id" else "x"
    queries: list[dict[str, str]] = [{"filter": f"{name}='{value}'"}, {"sort": name}]
    for query in queries:
        refused = client_of(owner).get(LIST, query)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert client_of(admin).get(LIST, query).status_code == 200


def test_errors_do_not_tell_users_of_fields_for_staff(owner: User) -> None:
    assert "user_email" not in client_of(owner).get(LIST, {"sort": "colour"}).json()["detail"]


def test_a_filter_never_shows_what_is_not_theirs(executions, owner: User) -> None:
    own = ExecutionFactory(user=owner)
    for text in ("progress>=0", "(progress>=0 OR status='pending')"):
        assert ids_of(client_of(owner).get(LIST, {"filter": text})) == [str(own.pk)]


def test_a_filter_and_the_other_parameters_hold_together(executions, admin: User) -> None:
    query = {"filter": "progress>=60", "status": "pending", "page": "1"}
    body = client_of(admin).get(LIST, query).json()
    assert [row["progress"] for row in body["data"]] == [60]
    assert body["total"] == 1


def test_a_plus_that_was_decoded_as_a_space_is_understood(execution: Execution, owner: User) -> None:
    start = execution.start_date.strftime("%Y-%m-%d %H:%M:%S.%f")
    later = (execution.start_date + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.%f")
    for time in (f"{start} 00:00", f"{later} 02:00"):
        assert ids_of(client_of(owner).get(f"{LIST}?filter=start_date='{time}'")) == [str(execution.pk)]


def test_the_duration_of_an_active_execution_grows(execution: Execution, owner: User) -> None:
    Execution.objects.update(start_date=NEW_YEAR)
    assert ids_of(client_of(owner).get(LIST, {"filter": "duration>1", "sort": "duration desc"}))


def test_names_are_joined_once_and_cost_no_further_query(executions, admin: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = client_of(admin).get(
            LIST,
            {
                "filter": "(user_email like '%p0%' OR script_name='50%'),user_name!='x'",
                "sort": "script_name,user_email desc",
                "include": "script_name,user_email",
            },
        )
    assert len(ids_of(answer)) > 1
    assert len(queries) == 2
    assert queries[1]["sql"].count("JOIN") == 2


@pytest.fixture
def many_executions(owner: User, script: Script) -> None:
    """So many that the database looks for the quickest way to the first of them, and knows them."""
    users = [owner, *UserFactory.create_batch(9)]
    Execution.objects.bulk_create(Execution(user=users[n % 10], script=script) for n in range(3000))
    Execution.objects.filter(pk__in=Execution.objects.values("pk")[:2500]).update_status("FINISHED")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE executions_execution")


@pytest.mark.usefixtures("many_executions")
@pytest.mark.parametrize("own", [True, False])
def test_a_page_in_the_usual_order_is_read_from_an_index(owner: User, admin: User, own: bool) -> None:
    for sort in ("", "end_date desc,start_date desc", "end_date,start_date"):
        with CaptureQueriesContext(connection) as queries:
            assert ids_of(client_of(owner if own else admin).get(LIST, {"sort": sort, "per_page": "20"}))
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert ("execution_open_first_of_user" if own else "execution_open_first ") in plan
        assert "Sort" not in plan
