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
    IMPORT = "import", "Import"  # the first snapshot after an import from another service
    IMPORTED = "imported", "Imported"  # a row of that service's own log: from before the ledger
    REPAIR = "repair", "Repair"  # a later snapshot that states the truth


# Of rows that only count, these are no snapshots of the ledger: the old periodic task named no source.
BEFORE_LEDGER = ["", Source.IMPORTED.value]
