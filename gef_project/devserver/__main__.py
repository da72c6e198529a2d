"""The entry: ``python -m gef_project.devserver``. What goes wrong is said in one line, on stderr."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured

from gef_project.common.interruption import stop_on_signals

from . import CannotRun


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
    try:
        stop_on_signals()
        django.setup()
        from .run import run

        run()
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Nobody reads what is printed; nor what Python would still flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImproperlyConfigured as error:
        return _complain(error, 2)
    except (CannotRun, OSError) as error:
        return _complain(error, 1)
    return 0


def _complain(error: Exception, status: int) -> int:
    sys.stderr.write(f"{error}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
