"""SQL of a step of the ledger: a row, ``steps``, and what the row before it has, ``previous_…``."""

from .states import ACTIVE, Status, count_field, in_order

COUNTS = [count_field(status) for status in Status]

# Of the row before, in the window ``in_order``.
PREVIOUS = ", ".join(f"lag({name}) OVER in_order AS previous_{name}" for name in ["id", "timestamp", *COUNTS])

# Whether a row's counts are not those of the row before it with its own move applied.
MISCOUNTED = " OR ".join(
    f"{count_field(status)} <> previous_{count_field(status)}"
    f" + (steps.status_to IS NOT DISTINCT FROM '{status}')::int"
    f" - (steps.status_from IS NOT DISTINCT FROM '{status}')::int"
    for status in Status
)

ACTIVE_SUM = " + ".join(count_field(status) for status in in_order(ACTIVE))


def step(row: str) -> str:
    """The move of that row of the ledger, as its execution notes it in ``last_move``."""
    return f"{row}.status_from || '>' || {row}.status_to"
