"""Creations and deletions are logged, too, whichever way they are made."""

from collections.abc import Callable

import pytest
from django.db import connection

from executions.models import Execution, ExecutionLog, Script
from gef_project.accounts.models import User
from gef_project.common.attribution import attributed_to
from status.models import StatusLog
from status.states import Status
from status.verification import first_fault

from .factories import ExecutionFactory

pytestmark = pytest.mark.django_db


def by_create(script: Script, user: User) -> None:
    Execution.objects.create(script=script, user=user)


def by_save(script: Script, user: User) -> None:
    Execution(script=script, user=user).save()


def by_bulk_create(script: Script, user: User) -> None:
    Execution.objects.bulk_create([Execution(script=script, user=user)])


def by_get_or_create(script: Script, user: User) -> None:
    Execution.objects.get_or_create(script=script, user=user)


def by_run(script: Script, user: User) -> None:
    script.run(user)


def by_copy(script: Script, user: User) -> None:
    row = Execution(script=script, user=user)
    columns = "id, script_id, user_id, params, results, status, progress, worker"
    values = (row.pk, script.pk, user.pk, "{}", "{}", "PENDING", 0, "")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY executions_execution ({columns}) FROM STDIN") as copy,
    ):
        copy.write_row(values)


@pytest.mark.parametrize("create", [by_create, by_save, by_bulk_create, by_get_or_create, by_run, by_copy])
def test_a_creation_is_logged(create: Callable[[Script, User], None], script: Script, owner: User) -> None:
    before = StatusLog.objects.newest().id
    create(script, owner)
    [log] = StatusLog.objects.after(before)
    assert (log.execution, log.status_from, log.status_to) == (Execution.objects.get(), None, Status.PENDING)
    assert log.actor == owner
    assert first_fault() is None


def test_the_creations_of_one_statement_are_logged_one_by_one(script: Script, owner: User) -> None:
    before = StatusLog.objects.newest()
    made = Execution.objects.bulk_create(Execution(script=script, user=owner) for _ in range(5))
    logs = list(StatusLog.objects.after(before.id))
    assert [log.id - before.id for log in logs] == [1, 2, 3, 4, 5]
    assert [log.executions_pending for log in logs] == [1, 2, 3, 4, 5]
    assert {log.execution_id for log in logs} == {execution.pk for execution in made}
    assert first_fault() is None


def test_a_run_says_where_it_comes_from(script: Script, owner: User) -> None:
    script.run(owner, {"n": 3}, source="api", reason="try")
    log = StatusLog.objects.newest()
    assert (log.source, log.reason) == ("api", "try")


def by_instance(execution: Execution) -> None:
    execution.delete()


def by_queryset(execution: Execution) -> None:
    Execution.objects.all().delete()


def by_script(execution: Execution) -> None:
    execution.script.delete()


def by_scripts(execution: Execution) -> None:
    Script.objects.all().delete()


def by_user(execution: Execution) -> None:
    execution.user.delete()


def by_sql(execution: Execution) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM executions_execution")


@pytest.mark.parametrize("delete", [by_instance, by_queryset, by_script, by_scripts, by_user, by_sql])
def test_a_deletion_is_logged(delete: Callable[[Execution], None], execution: Execution) -> None:
    stale = Execution.objects.get(pk=execution.pk)
    execution.update_status(Status.RUNNING)
    before = StatusLog.objects.newest().id
    delete(stale)
    [log] = StatusLog.objects.after(before)
    assert (log.execution_id, log.status_from, log.status_to) == (execution.pk, Status.RUNNING, None)
    assert log.executions_running == 0
    assert first_fault() is None


def test_the_log_survives_the_execution_and_its_actor(execution: Execution, owner: User) -> None:
    execution.update_status(Status.FAILED, actor=owner)
    owner.delete()
    rows = StatusLog.objects.filter(execution_id=execution.pk, actor_id=execution.user_id)
    assert rows.count() == 2


def test_a_deletion_takes_the_lines_of_the_run_along(execution: Execution) -> None:
    ExecutionLog.objects.create(execution=execution, text="half way")
    execution.delete()
    assert not ExecutionLog.objects.exists()


def test_deletions_are_attributed_inside_the_block_only(admin: User) -> None:
    first, second = ExecutionFactory.create_batch(2)
    with attributed_to(admin, "admin", "duplicate"):
        first.script.delete()
    second.delete()
    attributed, other = StatusLog.objects.filter(status_to=None, status_from="PENDING").order_by("id")
    assert (attributed.actor, attributed.source, attributed.reason) == (admin, "admin", "duplicate")
    assert (other.actor, other.source, other.reason) == (None, "", "")


def test_a_deleted_id_can_be_used_again(execution: Execution) -> None:
    pk, script, user = execution.pk, execution.script, execution.user
    execution.delete()
    Execution.objects.create(pk=pk, script=script, user=user).update_status(Status.RUNNING)
    assert first_fault() is None
