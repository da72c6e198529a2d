"""``make run``: the web server, a Celery worker and Celery beat, and the ledger as they write it.

Read :mod:`.run` first. Nothing here is imported by the service itself.
"""


class CannotRun(Exception):
    """Why there is nothing to run, in one line."""
