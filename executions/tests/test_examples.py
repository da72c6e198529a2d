"""The examples, run by a real worker that reports to a real server."""

import subprocess
import sys
from math import pi

import psutil
import pytest
from django.conf import settings
from django.core.management import call_command

from examples import collatz_budget, polygon_area, prime_count, word_frequency
from examples.catalogue import EXAMPLES
from executions.models import Execution, Level, Script
from gef_project.accounts.models import User
from status.states import Status
from status.verification import first_fault

from .processes import eventually, is_running

CATALOGUE = {example.slug: example for example in EXAMPLES}


@pytest.fixture
def examples(db: None) -> None:
    call_command("register_examples")


def submit(slug: str, user: User, **params: object) -> Execution:
    return Script.objects.get(slug=slug).run(user, CATALOGUE[slug].params | params, source="api")


def now(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def ended(execution: Execution) -> Execution:
    """As it is once it has ended."""
    eventually(lambda: now(execution).has_ended, seconds=60)
    assert first_fault() is None
    return now(execution)


def last_reason(execution: Execution) -> str:
    return execution.status_logs.newest().reason


@pytest.mark.django_db(transaction=True)
class TestRunByAWorker:
    pytestmark = pytest.mark.usefixtures("worker", "examples")

    def test_word_frequency_finishes_with_results(self, owner: User) -> None:
        execution = ended(submit("word-frequency", owner))
        assert execution.status == Status.FINISHED
        assert execution.results["texts"] == len(word_frequency.sources())
        assert execution.results["top"][0]["count"] > 100
        assert execution.logs.filter(text__startswith="executions/runner.py: ").exists()
        assert last_reason(execution) == ""  # it reported its end itself, before it exited

    def test_polygon_area_fails_with_a_traceback(self, owner: User) -> None:
        execution = ended(submit("polygon-area", owner))
        assert execution.status == Status.FAILED
        assert "exit status 1: ValueError: The ring is not closed" in last_reason(execution)
        errors = list(execution.logs.filter(level=Level.ERROR).values_list("text", flat=True))
        assert errors[0] == "Traceback (most recent call last):"
        assert set(execution.results["km2"]) == {"Wyoming", "Colorado"}

    def test_prime_count_is_stopped_when_it_is_cancelled(self, owner: User) -> None:
        execution = submit("prime-count", owner)
        eventually(lambda: now(execution).progress)
        pid = int(execution.status_logs.get(status_to=Status.RUNNING).reason.split()[1])
        assert psutil.Process(pid).cmdline()[-1] == "examples.prime_count"
        now(execution).cancel(actor=owner, source="api")
        eventually(lambda: not is_running(pid))
        assert ended(execution).status == Status.CANCELLED
        assert execution.status_logs.newest().status_to == Status.CANCELLED

    def test_collatz_budget_is_killed_by_the_kernel(self, owner: User) -> None:
        execution = ended(submit("collatz-budget", owner, cpu_seconds=1))
        assert execution.status == Status.FAILED
        assert last_reason(execution) == "killed by signal SIGXCPU"


@pytest.mark.django_db
def test_registering_twice_changes_nothing(examples: None) -> None:
    before = list(Script.objects.values_list("pk", "slug", "command"))
    call_command("register_examples")
    assert list(Script.objects.values_list("pk", "slug", "command")) == before
    assert {slug for _, slug, _ in before} == set(CATALOGUE)


@pytest.mark.django_db
def test_registering_sets_the_command_and_keeps_what_an_operator_changed(examples: None) -> None:
    Script.objects.filter(slug="prime-count").update(
        name="Ours", published=False, time_limit=5, command=["x"]
    )
    call_command("register_examples")
    script = Script.objects.get(slug="prime-count")
    assert (script.name, script.published, script.time_limit) == ("Ours", False, 5)
    assert script.command == CATALOGUE["prime-count"].command


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_examples_need_nothing_but_the_standard_library(example) -> None:
    module = example.command[-1]
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append('.'); import {module}"],
        check=True,
        cwd=settings.BASE_DIR,
    )


def test_the_area_of_an_octant_is_an_eighth_of_the_sphere() -> None:
    octant = [[0.0, 0.0], [90.0, 0.0], [0.0, 90.0], [0.0, 0.0]]
    assert polygon_area.ring_area(octant) == pytest.approx(4 * pi * polygon_area.RADIUS**2 / 8)
    assert polygon_area.polygon_area([octant, octant]) == 0


@pytest.mark.parametrize(
    ("limit", "primes"), [(1, 0), (2, 1), (30, 10), (1_000_000, 78_498), (10_000_000, 664_579)]
)
def test_primes_are_counted(limit: int, primes: int) -> None:
    assert max((count for _, count in prime_count.count_primes(limit)), default=0) == primes


def test_the_longest_chain_below_a_thousand() -> None:
    assert collatz_budget.longest_chain(1_000) == (871, 179)


def test_words_are_counted_whatever_their_case() -> None:
    assert word_frequency.words("Der Baum, der 2te_Baum") == {"der": 2, "baum": 2, "te": 1}
