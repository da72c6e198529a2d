"""Row 4: the ledger's lock released before the flush, a trial that is not in use; also on a slow disk."""

from collections.abc import Callable, Iterator

from benchmarks.building import Built, built, execute
from benchmarks.measuring import Processes, Step, in_rounds, one_by_one
from benchmarks.moves import AT_ONCE, connections, move, ours, own
from benchmarks.plan import Plan
from benchmarks.report import Line, rate
from executions.models import Execution

SLOWER = 2.5  # ms that each flush takes longer on what stands for a slow disk

Prepare = Callable[[Built, int, int], Step]


def released_early(database: Built, number: int, processes: int) -> Step:
    """Commit without waiting, which frees the ledger, and then wait until the commit is on the disk."""
    execute("SET synchronous_commit = off")

    def move_then_flush(execution: Execution) -> None:
        move(execution)
        execute("SELECT pg_logical_emit_message(false, '', '', true)")

    return one_by_one(own(Execution, database, number, processes), move_then_flush)


def on_a_slow_disk(prepare: Prepare) -> Prepare:
    """The same where the server sleeps before each flush, which all commits that wait by then share."""

    def prepared(database: Built, number: int, processes: int) -> Step:
        execute(f"SET commit_delay = {SLOWER * 1000:.0f}")
        execute("SET commit_siblings = 0")
        return prepare(database, number, processes)

    return prepared


def against_early_release(plan: Plan) -> Iterator[Line]:
    database = built(plan.common_size)
    now, early = "update_status", "lock released before the flush (a trial)"
    slow = f", where a flush takes {SLOWER} ms longer"
    ways: dict[str, tuple[Prepare, Prepare]] = {
        "": (ours, released_early),
        slow: (on_a_slow_disk(ours), on_a_slow_disk(released_early)),
    }
    cells = {
        f"{name}, {connections(count)}{where}": Processes(database, count, prepare)
        for count in AT_ONCE
        for where, pair in ways.items()
        for name, prepare in zip((now, early), pair, strict=True)
    }
    figures = in_rounds(cells, plan.rounds, plan.seconds, title="4 Early release")
    for count in AT_ONCE:
        for where in ways:
            kept, released = (f"{name}, {connections(count)}{where}" for name in (now, early))
            if where:  # without, against_floor has that line
                yield rate(4, kept, figures[kept])
            yield rate(4, released, figures[released], f"this / {now}", (figures[released], figures[kept]))
