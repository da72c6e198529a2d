"""Compare the ledger with its usual alternatives; print a table, and keep it in RESULTS.md.

python -m benchmarks.run                        everything: about 50 minutes, 20 GB of disk
python -m benchmarks.run --quick                the same in small: a few minutes
python -m benchmarks.run --quick --rows 1,4     some rows of it
"""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"

import benchmarks.database  # noqa: F401  # sets Django up before models are imported
from benchmarks import report
from benchmarks.bulk_transitions import in_one_call
from benchmarks.datasets import drop_all
from benchmarks.floor import against_floor
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.reading import reading
from benchmarks.trace import replay
from benchmarks.transitions import against_counting, against_packages, by_size
from benchmarks.web import over_http

ROWS: dict[int, Callable[[Plan], Iterator[report.Line]]] = {
    1: by_size,
    2: against_counting,
    3: against_packages,
    4: against_floor,
    5: in_one_call,
    6: over_http,
    7: reading,
    8: replay,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    parser.add_argument("--rows", type=_numbers, default=list(ROWS), help="such as 1,4")
    parser.add_argument("--sizes", type=_numbers, help="numbers of executions, such as 1000,100000")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="that each rate is taken over")
    parser.add_argument("--keep", action="store_true", help="keep the databases for the next run")
    options = parser.parse_args()
    given = {name: value for name in ("sizes", "rounds", "seconds") if (value := getattr(options, name))}
    plan = replace(QUICK if options.quick else FULL, **given)
    lines: list[report.Line] = []
    facts = report.machine()
    try:
        for row in options.rows:
            lines += ROWS[row](plan)
    finally:
        if not options.keep:
            drop_all()
        table = report.markdown(facts, lines)
        print(table)
        if lines:
            report.keep(table)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
