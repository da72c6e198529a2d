"""Random HTTP requests, after each of which response and ledger must equal the reference model."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from executions.models import Execution, Script
from gef_project.accounts.models import User
from gef_project.accounts.tests.clients import client_of
from status.verification import first_fault

from .reference_model import STATUSES, TRANSITIONS, ReferenceModel

pytestmark = pytest.mark.django_db

some_status = st.sampled_from(STATUSES[1:])
some_report = st.fixed_dictionaries(
    {},
    optional={
        "status": some_status,
        "progress": st.integers(0, 100),
        "results": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
    },
)
STATUS_CODES = {"changed": 200, "stored": 200, "IllegalTransition": 409, "ReportTooLate": 409}
CODES = {"IllegalTransition": "illegal_move", "ReportTooLate": "report_too_late"}


class HttpApi(RuleBasedStateMachine):
    """Requests about one owner's executions; ``executions`` are ids, also of those that have been deleted."""

    executions = Bundle("executions")

    def __init__(self, script: Script, owner: User, stranger: User, admin: User) -> None:
        super().__init__()
        self.script = script
        self.owner, self.stranger, self.staff = map(client_of, (owner, stranger, admin))
        self.model = ReferenceModel()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    @rule(target=executions, params=st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)))
    def run(self, params: dict[str, int]) -> UUID:
        answer = self.owner.post(f"/api/v1/script/{self.script.slug}/run", params)
        data = answer.json()["data"]
        assert (answer.status_code, data["status"], data["params"]) == (200, "PENDING", params)
        self.model.create([UUID(data["id"])])
        return UUID(data["id"])

    @rule(pk=executions, report=some_report, by_staff=st.booleans())
    def report(self, pk: UUID, report: dict[str, Any], by_staff: bool) -> None:
        caller = self.staff if by_staff else client_of(Execution(pk=pk))
        answer = caller.patch(f"/api/v1/execution/{pk}", report)
        if pk not in self.model.executions:
            assert answer.status_code == 404
        elif not report:
            assert answer.status_code == 400
        else:
            self._compare(answer, pk, report)

    def _compare(self, answer: Any, pk: UUID, report: dict[str, Any]) -> None:
        status_from = self.model.executions[pk].status
        expected = self.model.accept_report(
            pk, report.get("status"), report.get("progress"), report.get("results")
        )
        assert answer.status_code == STATUS_CODES[expected]
        if answer.status_code == 200:
            now, data = self.model.executions[pk], answer.json()["data"]
            assert (data["status"], data["progress"], data["results"]) == (
                now.status,
                now.progress,
                now.results,
            )
            assert (data["end_date"] is not None) == now.has_ended
        else:
            error = answer.json()
            allowed = set(error.pop("allowed"))
            del error["detail"]
            assert allowed == set(TRANSITIONS.get(status_from, ()))
            assert error == {
                "status": 409,
                "code": CODES[expected],
                "status_from": status_from,
                "status_to": report.get("status"),
            }

    @rule(pk=executions, report=some_report)
    def report_without_permission(self, pk: UUID, report: dict[str, Any]) -> None:
        for caller, status_code in ((self.owner, 403), (self.stranger, 403), (APIClient(), 401)):
            assert caller.patch(f"/api/v1/execution/{pk}", report).status_code == status_code
        assert client_of(Execution()).patch(f"/api/v1/execution/{pk}", report).status_code == 404

    @rule(pk=executions, by_staff=st.booleans())
    def cancel(self, pk: UUID, by_staff: bool) -> None:
        known = self.model.executions.get(pk)
        status_from = known.status if known else None
        expected = self.model.update_status(pk, "CANCELLED")
        answer = (self.staff if by_staff else self.owner).post(f"/api/v1/execution/{pk}/cancel")
        if expected == "changed":
            details = answer.json()["data"]["cancellation_details"]
            assert answer.status_code == 202
            assert (details["previous_status"], details["new_status"]) == (status_from, "CANCELLED")
        else:
            assert answer.status_code == (404 if expected == "ExecutionGone" else 400)

    @rule(pk=executions)
    def cancel_anothers(self, pk: UUID) -> None:
        assert self.stranger.post(f"/api/v1/execution/{pk}/cancel").status_code == 404

    @rule(pk=executions, text=st.text(st.characters(codec="utf-8"), max_size=5))
    def log(self, pk: UUID, text: str) -> None:
        line = {"text": text, "level": "INFO"}
        answer = client_of(Execution(pk=pk)).post(f"/api/v1/execution/{pk}/log", line)
        if known := self.model.executions.get(pk):
            known.lines += 1
            assert (answer.status_code, answer.json()["data"]["text"]) == (200, text)
        else:
            assert answer.status_code == 404

    @rule(pk=executions)
    def delete(self, pk: UUID) -> None:
        """There is no request for it: staff does it in the admin."""
        Execution.objects.filter(pk=pk).delete()
        self.model.delete([pk])

    @invariant()
    def the_ledger_equals_the_model(self) -> None:
        self.model.check()

    @rule()
    def the_newest_row_is_what_clients_read(self) -> None:
        page = self.staff.get("/api/v1/status", {"per_page": 1}).json()
        assert self.staff.get("/api/v1/status/current").json()["data"] == page["data"][0]
        assert page["total"] == page["data"][0]["id"]

    def teardown(self) -> None:
        try:
            assert first_fault() is None
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)


def test_the_http_api(script: Script, owner: User, stranger: User, admin: User) -> None:
    machine: Any = partial(HttpApi, script, owner, stranger, admin)
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=20))
