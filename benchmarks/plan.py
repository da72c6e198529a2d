"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    sizes: list[int]  # numbers of executions
    rounds: int
    seconds: float  # that a rate is taken over
    common_size: int  # number of executions where it is not the subject
    bulk: int  # transitions in one call
    log_rows: int
    deep: int  # rows before the deep page
    jobs: int | None  # of the trace; None is all


FULL = Plan(
    sizes=[1_000, 100_000, 1_000_000, 10_000_000],
    rounds=5,
    seconds=3,
    common_size=100_000,
    bulk=100_000,
    log_rows=10_000_000,
    deep=4_000_000,
    jobs=None,
)
QUICK = Plan(
    sizes=[1_000, 100_000],
    rounds=2,
    seconds=0.5,
    common_size=30_000,
    bulk=10_000,
    log_rows=200_000,
    deep=80_000,
    jobs=300,
)
