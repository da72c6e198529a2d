"""What goes with objects that are deleted: counted up to a bound, and deleted in batches."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

COUNTED = 10_000
FOLLOWED = 1_000  # of the counted objects: what goes with further ones is not counted
BATCH = 1_000  # objects whose deletion is one transaction
TIME = 10.0  # seconds after which no further batch is begun: clients and proxies hang up after 30


@dataclass
class Count:
    """How many objects; at least so many if ``is_cut``."""

    number: int = 0
    is_cut: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.is_cut else f"{self.number:,}"

    def add(self, number: int, is_cut: bool) -> None:
        self.is_cut = self.is_cut or is_cut or self.number + number > COUNTED
        self.number = min(self.number + number, COUNTED)


Counts = dict[type[models.Model], Count]


def count_cascade(model: type[models.Model], pks: Sequence[Any]) -> Counts:
    """How many objects of which models are deleted with these, none counted any further than ``COUNTED``."""
    counts: Counts = {}
    _count(model, pks, False, counts)
    return counts


def delete_cascade(model: type[models.Model], pks: Sequence[Any]) -> bool:
    """Delete what a cascade would, in transactions of ``BATCH`` objects, but not the objects themselves.

    Returns:
        False when the time was over before all were gone.
    """
    latest = time.monotonic() + TIME
    for related_model, field in _cascades(model):
        related = related_model._default_manager.filter(**{f"{field}__in": pks}).order_by()
        while batch := list(related.values_list("pk", flat=True)[:BATCH]):
            if time.monotonic() > latest:
                return False
            # Without their other columns, which may be megabytes.
            related_model._default_manager.filter(pk__in=batch).only("pk").delete()
    return True


def _count(model: type[models.Model], pks: Sequence[Any], is_cut: bool, counts: Counts) -> None:
    for related_model, field in _cascades(model):
        related = related_model._base_manager.filter(**{f"{field}__in": pks}).order_by()
        found = list(related.values_list("pk", flat=True)[: COUNTED + 1])
        if found:
            counts.setdefault(related_model, Count()).add(len(found), is_cut)
            followed = found[: min(FOLLOWED, COUNTED)]
            _count(related_model, followed, is_cut or len(found) > len(followed), counts)


def _cascades(model: type[models.Model]) -> Iterator[tuple[type[models.Model], str]]:
    """The models, and the names of their fields, whose objects go with those of this model."""
    for relation in model._meta.related_objects:
        if getattr(relation, "on_delete", None) is models.CASCADE:
            yield relation.related_model, relation.field.name
