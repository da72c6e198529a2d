"""Compare this checkout with another one of the project, in interleaved rounds:

    git worktree add ../older <commit>; make -C ../older install
    python -m benchmarks.checkouts ../older --rounds 7

Each checkout uses its own .venv, and a database of its own on the server of GEF_BENCH_URL.
"""

import argparse
import os
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

WORKER = Path(__file__).with_name("worker.py")
BARS = {"single 1": 1.0, "single 8": 1.0, "in one call": 1.0, "bulk_create": 1.2}


class Checkout:
    """A worker in one checkout; asked for a figure, it gives it."""

    def __init__(self, root: Path, server: str, name: str) -> None:
        self.name, self._server = name, server
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        url = urlsplit(server)._replace(path=f"/{name}").geturl()
        environment = {**os.environ, "PYTHONPATH": str(root), "DATABASE_URL": url}
        self._worker = subprocess.Popen(
            [root / ".venv" / "bin" / "python", WORKER],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def measure(self, scenario: str) -> float:
        assert self._worker.stdin
        self._worker.stdin.write(f"{scenario}\n")
        self._worker.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._worker.stdout
        line = self._worker.stdout.readline()
        if not line:
            raise RuntimeError(f"The worker of {self.name} has ended.")
        return line

    def close(self) -> None:
        self._worker.communicate()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scenarios", default=",".join(BARS))
    options = parser.parse_args()
    server = os.environ.get("GEF_BENCH_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    with ExitStack() as stack:
        checkouts = []
        for root, name in ((Path.cwd(), "gef_this"), (options.other.resolve(), "gef_other")):
            checkouts.append(Checkout(root, server, name))
            stack.callback(checkouts[-1].close)
        this, other = checkouts
        print("| scenario | this, per s | other, per s | ratio | bar |\n|---|---|---|---|---|")
        for scenario in options.scenarios.split(","):
            rounds: list[tuple[float, float]] = []
            for number in range(options.rounds):
                turns = checkouts if number % 2 == 0 else checkouts[::-1]
                figures = {checkout.name: checkout.measure(scenario) for checkout in turns}
                rounds.append((figures[this.name], figures[other.name]))
            mine, its = (median(side) for side in zip(*rounds, strict=True))
            ratio = median(one / two for one, two in rounds)
            print(f"| {scenario} | {mine:,.0f} | {its:,.0f} | {ratio:.2f} | {BARS[scenario]} |", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
