"""Run many executions while workers are killed and PostgreSQL goes away; then count what went wrong.

    python -m executions.tests.faults --executions 200 --seed 1

Two workers share a directory, as on one machine. Each fault stops one of them in one of the ways in which
workers are stopped, or makes PostgreSQL refuse all connections for some seconds, or kills it. Every script
appends to a file when it starts and when it has done its work, and leaves a process behind that ignores
signals and has left its session. In the end, all of these must be 0:

    victims        did their work, and are FAILED
    started twice
    not terminal
    wrong logs     lines are missing, or are there twice
    left           processes of the runs that are still there

PostgreSQL, its data and the broker are the test's own. Exit status 1 when anything is wrong.
"""

import argparse
import sys

from executions.tests.own_servers import own_servers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--executions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with own_servers("gef-faults-", HEARTBEAT_EVERY="1", WORKER_GRACE="10") as var_dir:
        from .faults import run  # which needs Django

        return run(var_dir, options.executions, options.seed)


if __name__ == "__main__":
    sys.exit(main())
