"""The project's settings, and the apps that it is measured against."""

from gef_project.settings import *  # noqa: F403
from gef_project.settings import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_fsm",
    "django_fsm_log",
    "pgtrigger",
    "pghistory",
    "simple_history",
    "benchmarks.rivals",
]
# What is handed to workers here is handed to nobody.
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT = "memory"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
# As in production; otherwise Django keeps a list of all statements.
DEBUG = False
