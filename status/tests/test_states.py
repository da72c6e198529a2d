"""One vocabulary: every copy of it equals the one in ``states.py``."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from executions.models import Execution
from status.models import StatusLog
from status.states import ACTIVE, TERMINAL, TRANSITIONS, Status, count_field, sources_of


def test_the_statuses_are_those_of_the_design() -> None:
    assert list(Status) == ["PENDING", "READY", "RUNNING", "FINISHED", "FAILED", "CANCELLED"]


def test_a_terminal_status_is_never_left() -> None:
    assert {status for status in Status if not TRANSITIONS[status]} == TERMINAL


def test_every_active_status_can_end() -> None:
    assert all(TRANSITIONS[status] >= TERMINAL for status in ACTIVE)


def test_nothing_returns_to_pending_and_nothing_stays() -> None:
    assert sources_of(Status.PENDING) == []
    assert all(status not in TRANSITIONS[status] for status in Status)


@pytest.mark.parametrize("field", ["status_from", "status_to"])
def test_the_choices_of_the_log_are_the_vocabulary(field: str) -> None:
    assert getattr(StatusLog, field).field.choices == Status.choices


def test_the_choices_of_an_execution_are_the_vocabulary() -> None:
    assert Execution._meta.get_field("status").choices == Status.choices


def test_the_log_counts_every_status_and_no_other() -> None:
    columns = {field.name for field in StatusLog._meta.fields if field.name.startswith("executions_")}
    assert columns == {count_field(status) for status in Status} | {"executions_active"}


@pytest.mark.django_db
def test_the_database_knows_the_same_statuses() -> None:
    check = stored(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'execution_end_date_when_ended'"
    )
    assert set(re.findall(r"'([A-Z]+)'", check)) == set(Status)


@pytest.mark.django_db
def test_the_database_knows_the_same_moves() -> None:
    guard = stored("SELECT prosrc FROM pg_proc WHERE proname LIKE '%legal\\_moves%'")
    pairs = set(re.findall(r"([A-Z]+)>([A-Z]+)", guard))
    assert pairs == {(source, target) for source in TRANSITIONS for target in TRANSITIONS[source]}


def stored(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(query)
        [(definition,)] = cursor.fetchall()
    return str(definition)


# --- One door ---------------------------------------------------------------------------------------------

# Where a status is written into an execution: the door itself, and its form for many.
DOORS = {
    Path("executions/models/execution.py"),
    Path("executions/models/queryset.py"),
    Path("executions/repairs.py"),  # for operators, past the rules
}


def assigned_statuses(path: Path) -> list[int]:
    """The lines that set ``.status`` of something, or hand ``status=`` to a method that stores it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Assign(targets=targets):
                stores = any(
                    isinstance(target, ast.Attribute) and target.attr == "status" for target in targets
                )
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                stores = isinstance(target, ast.Attribute) and target.attr == "status"
            case ast.Call(
                func=ast.Attribute(attr="update" | "create" | "get_or_create" | "update_or_create")
            ):
                stores = any(
                    keyword.arg == "status" or "'status'" in ast.unparse(keyword.value)
                    for keyword in node.keywords
                )
            case ast.Call(func=ast.Name(id="Execution" | "setattr")):
                stores = any(keyword.arg == "status" for keyword in node.keywords) or (
                    any(
                        isinstance(argument, ast.Constant) and argument.value == "status"
                        for argument in node.args
                    )
                )
            case ast.Call(func=ast.Attribute(attr="bulk_update")):
                stores = "status" in ast.unparse(node)
            case _:
                stores = False
        if stores:
            found.append(node.lineno)  # type: ignore[attr-defined]
    return found


def product_code() -> list[Path]:
    base = Path(settings.BASE_DIR)
    return [
        path.relative_to(base)
        for app in ("executions", "status", "gef_project")
        for path in base.joinpath(app).rglob("*.py")
        if not {"tests", "migrations"} & set(path.parts)
    ]


def test_only_the_door_assigns_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.BASE_DIR)
    assigned = {
        path: lines for path in product_code() if (lines := assigned_statuses(path)) and path not in DOORS
    }
    assert assigned == {}


def test_the_search_for_other_doors_finds_one(tmp_path: Path) -> None:
    code = (
        "execution.status = 'RUNNING'\nrows.update(status='FAILED')\nsetattr(execution, 'status', 'READY')\n"
    )
    (tmp_path / "sneaky.py").write_text(code)
    assert assigned_statuses(tmp_path / "sneaky.py") == [1, 2, 3]
