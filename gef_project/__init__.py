"""The project: settings, accounts, the API's common parts, and what starts the processes."""

from .celery import app as celery_app

__all__ = ["celery_app"]
