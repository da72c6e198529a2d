"""Kill writers, the Celery worker and PostgreSQL at random times, then check that nothing is lost.

    python -m executions.tests.kill --rounds 50

Several processes change executions through the public methods and record, outside of the database, which
changes were acknowledged. Each round kills one process by signal 9 and starts it again. Afterwards the status
log must have every change that was acknowledged and every row that could be read before, and each invariant
must hold. PostgreSQL, its data and the broker are the test's own. Exit status 1 when anything is wrong.
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import django


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--writers", type=int, default=4)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="gef-kill-", ignore_cleanup_errors=True) as var_dir:
        os.environ |= {"VAR_DIR": var_dir, "DATABASE_URL": "", "CELERY_BROKER_URL": ""}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
        django.setup()
        # They need the settings, which have read the environment by now.
        from gef_project.devserver import valkey
        from gef_project.devserver.postgresql.server import server

        from .rounds import run

        try:
            return run(Path(var_dir), options.rounds, options.writers)
        finally:
            server.leave()
            valkey.Server.for_this_process(Path(var_dir)).leave()


if __name__ == "__main__":
    sys.exit(main())
