"""Kill writers, the Celery worker and PostgreSQL at random times, then check that nothing is lost.

    python -m executions.tests.kill --rounds 50

Several processes change executions through the public methods and record, outside of the database, which
changes were acknowledged. Each round kills one process by signal 9 and starts it again. Afterwards the status
log must have every change that was acknowledged and every row that could be read before, and each invariant
must hold. PostgreSQL, its data and the broker are the test's own. Exit status 1 when anything is wrong.
"""

import argparse
import sys

from executions.tests.own_servers import own_servers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--writers", type=int, default=4)
    options = parser.parse_args()
    with own_servers("gef-kill-") as var_dir:
        from .rounds import run  # which needs Django

        return run(var_dir, options.rounds, options.writers)


if __name__ == "__main__":
    sys.exit(main())
