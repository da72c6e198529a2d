"""Looks for the start below a limit whose Collatz chain is longest, within a budget of processor time.

The kernel enforces the budget: it kills a process that exceeds it by the signal SIGXCPU, so that it cannot
report anything. The demo's budget is too small for its limit.

Params: ``limit`` (int), ``cpu_seconds`` (int).
"""

import resource

from examples.reporting import Progress, params, report


def longest_chain(limit: int, progress: Progress | None = None) -> tuple[int, int]:
    """The start below ``limit`` with the longest chain, and how many numbers the chain has."""
    lengths = {1: 1}
    longest = (1, 1)
    for start in range(2, limit):
        number, steps = start, 0
        while number not in lengths:
            number = number // 2 if number % 2 == 0 else 3 * number + 1
            steps += 1
        lengths[start] = lengths[number] + steps
        if lengths[start] > longest[1]:
            longest = (start, lengths[start])
            print(f"{start:,} takes {lengths[start]} numbers to reach 1")
        if progress and start % 10_000 == 0:
            progress.done(start)
    return longest


def main() -> None:
    given = params()
    budget = given["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no memory dump when it is killed
    resource.setrlimit(resource.RLIMIT_CPU, (budget, budget + 1))
    start, length = longest_chain(given["limit"], Progress(given["limit"]))
    report(status="FINISHED", results={"start": start, "length": length})


if __name__ == "__main__":
    main()
