"""The examples: what ``manage.py register_examples`` registers, and ``make run`` submits."""

from typing import Any, NamedTuple


class Example(NamedTuple):
    slug: str
    name: str
    description: str
    params: dict[str, Any]  # of the demo
    ends: str  # the status that the demo ends with
    time_limit: int = 3600  # seconds
    cancel_after: float | None = None  # seconds of RUNNING after which the demo cancels it

    @property
    def command(self) -> list[str]:
        return ["python", "-m", f"examples.{self.slug.replace('-', '_')}"]


def _polygon(name: str, ring: list[list[float]]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"name": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


# Three of the United States whose borders follow meridians and parallels; the last outline is not closed.
_WYOMING = [[-111.05, 41.0], [-104.05, 41.0], [-104.05, 45.0], [-111.05, 45.0], [-111.05, 41.0]]
_COLORADO = [[-109.05, 37.0], [-102.05, 37.0], [-102.05, 41.0], [-109.05, 41.0], [-109.05, 37.0]]
_UTAH = [[-114.05, 37.0], [-109.05, 37.0], [-109.05, 41.0], [-111.05, 41.0], [-111.05, 42.0], [-114.05, 42.0]]

EXAMPLES = [
    Example(
        "word-frequency",
        "Word frequency",
        "Counts the words of a text, or of this project's own source files.",
        params={"task_name": "The words of this project", "suffixes": [".md", ".py"], "top": 20},
        ends="FINISHED",
    ),
    Example(
        "polygon-area",
        "Polygon area",
        "Computes the areas of GeoJSON polygons on the sphere; refuses rings that are not closed.",
        params={
            "task_name": "Three states, one of them not closed",
            "geojson": {
                "type": "FeatureCollection",
                "features": [
                    _polygon("Wyoming", _WYOMING),
                    _polygon("Colorado", _COLORADO),
                    _polygon("Utah", _UTAH),
                ],
            },
        },
        ends="FAILED",
    ),
    Example(
        "prime-count",
        "Prime count",
        "Counts the primes up to a limit by a segmented sieve.",
        params={"task_name": "Primes up to ten billion", "limit": 10_000_000_000},
        ends="CANCELLED",
        cancel_after=3,
    ),
    Example(
        "collatz-budget",
        "Collatz chain within a budget",
        "Looks for the longest Collatz chain, and is killed by the kernel when its time is used up.",
        params={"task_name": "Longest chain below ten million", "limit": 10_000_000, "cpu_seconds": 2},
        ends="FAILED",
    ),
]
