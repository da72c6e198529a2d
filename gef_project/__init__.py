"""The project: its settings and URLs, and the apps that are not the customer's."""

import fcntl
import os
import sys
from pathlib import Path

from .celery import app as celery_app

__all__ = ["celery_app"]

_made = Path(sys.prefix, "made")  # by deploy/workspace.py, in the .venv that it keeps
if _made.exists():
    # As long as this process runs, `make clean` does not remove the .venv that it runs in.
    fcntl.flock(os.open(_made, os.O_RDONLY), fcntl.LOCK_SH)
