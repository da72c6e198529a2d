"""SQL that compares a row of the status log, ``log``, with the row before it, ``previous_…``."""

from .states import ACTIVE, Status, count_field, in_order

# The advisory lock of the ledger's writers; the SQL function lock_status_log takes it.
LEDGER_LOCK = 5_764_816_170_911_001

# The table that is counted, by name, since the app of its model imports this one.
EXECUTIONS = "executions_execution"

# What tells a snapshot from a transition.
SNAPSHOT = "status_from IS NULL AND status_to IS NULL"

COUNTS = [count_field(status) for status in Status]

# Columns of the row before, in the window ``in_order``.
PREVIOUS = ", ".join(f"lag({name}) OVER in_order AS previous_{name}" for name in ["id", "timestamp", *COUNTS])

# Whether a row's counts are not those of the row before it with its own transition applied.
MISCOUNTED = " OR ".join(
    f"{count_field(status)} <> previous_{count_field(status)}"
    f" + (log.status_to IS NOT DISTINCT FROM '{status}')::int"
    f" - (log.status_from IS NOT DISTINCT FROM '{status}')::int"
    for status in Status
)

ACTIVE_SUM = " + ".join(count_field(status) for status in in_order(ACTIVE))
