"""Computes the areas of polygons on the sphere, as if their edges were the shortest lines between corners.

Params: ``geojson``, a FeatureCollection of polygons (longitude and latitude in degrees). Holes are
subtracted. A ring that is not closed is an error that is not caught, so that the run fails.
"""

from itertools import pairwise
from math import atan2, pi, radians, tan
from typing import Any

from examples.reporting import params, report

RADIUS = 6_371.0088  # km, the mean radius of the Earth

Ring = list[list[float]]


def ring_area(ring: Ring) -> float:
    """In km², of the smaller side, by the sum of the spherical excesses between each edge and the equator.

    Raises:
        ValueError: the ring does not end where it began, or is no ring at all.
    """
    if len(ring) < 4:
        raise ValueError(f"A ring needs at least 4 positions, not {len(ring)}.")
    if ring[0] != ring[-1]:
        raise ValueError(f"The ring is not closed: it begins at {ring[0]} and ends at {ring[-1]}.")
    excess = 0.0
    for (longitude, latitude, *_), (next_longitude, next_latitude, *_) in pairwise(ring):
        tans = tan(radians(latitude) / 2), tan(radians(next_latitude) / 2)
        step = (next_longitude - longitude + 180) % 360 - 180
        excess += 2 * atan2(tan(radians(step) / 2) * sum(tans), 1 + tans[0] * tans[1])
    excess = abs(excess)
    return min(excess, 4 * pi - excess) * RADIUS**2


def polygon_area(coordinates: list[Ring]) -> float:
    """In km²: the outer ring without the holes."""
    outer, *holes = coordinates
    return ring_area(outer) - sum(map(ring_area, holes))


def main() -> None:
    features: list[dict[str, Any]] = params()["geojson"]["features"]
    areas = {}
    for number, feature in enumerate(features, start=1):
        name = feature["properties"]["name"]
        area = polygon_area(feature["geometry"]["coordinates"])
        areas[name] = round(area, 3)
        print(f"{name}: {area:,.0f} km²")
        report(progress=100 * number // len(features), results={"km2": areas})
    report(status="FINISHED", results={"km2": areas, "total_km2": round(sum(areas.values()), 3)})


if __name__ == "__main__":
    main()
