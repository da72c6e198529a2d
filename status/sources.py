"""Where a change of status comes from: the words of ``StatusLog.source``.

The column takes any word, so that a new source needs no migration; it is empty where nobody named one.
"""

from django.db import models


class Source(models.TextChoices):
    API = "api", "API"  # a client, or the run itself
    ADMIN = "admin", "Admin"  # somebody in the admin
    WORKER = "worker", "Worker"  # the process that runs executions
    MONITOR = "monitor", "Monitor"  # the task that looks for lost workers
    CLEANUP = "cleanup", "Clean-up"  # the task that ends or deletes what is too old
    SHELL = "shell", "Shell"  # somebody by hand
    MIGRATION = "migration", "Migration"  # the first snapshot
    REPAIR = "repair", "Repair"  # an operator: a forced status, or a later snapshot
