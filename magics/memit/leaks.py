"""What every run leaves behind anew, and what holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._core import Allocations
from ..graphs import why
from ..graphs.labels import long_name
from .result import Survivor

__all__ = ["survivors"]

# To say what holds an object the heap is looked through once.
_EXPLAINED = 5
_MOST = 50
_WAYS = 2


def survivors(
    first: Allocations, last: Allocations, ours: Sequence[object] = ()
) -> tuple[Survivor, ...]:
    """Find objects of the same types that both runs have left behind.

    Parameters
    ----------
    first : Allocations
        Counting since before the first run.
    last : Allocations
        Counting since before the last one.
    ours : sequence
        Objects that are none of theirs.

    Returns
    -------
    tuple of Survivor
        By type, what is most often left first. What the first run left and the last one
        did away with is not among them, nor what only the first one makes, such as
        caches, nor bare numbers.
    """
    # Before anything else is made here, which would be among them.
    of_last, of_both = last.objects(), first.objects()
    strangers = {id(obj) for obj in (ours, *ours)}
    of_last = [obj for obj in of_last if id(obj) not in strangers]
    known = {id(obj) for obj in of_last} | strangers
    of_first = [obj for obj in of_both if id(obj) not in known and obj is not of_last]
    often = Counter(map(type, of_last)) & Counter(map(type, of_first))
    for number_type in (bool, int, float):
        del often[number_type]
    examples: dict[type, Any] = {}
    for obj in of_last:
        examples.setdefault(type(obj), obj)
    found = []
    for number, (cls, objects) in enumerate(often.most_common(_MOST)):
        held_by: tuple[str, ...] = ()
        advice: tuple[str, ...] = ()
        if number < _EXPLAINED:
            holders = why(examples[cls], _WAYS).holders
            held_by = tuple(f"{it.expression}  {it.place}" for it in holders)
            advice = tuple(it.advice for it in holders)
        name = long_name(cls).removeprefix("builtins.").removeprefix("__main__.")
        found.append(Survivor(name, objects, held_by, advice))
    return tuple(found)
