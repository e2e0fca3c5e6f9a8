"""All objects of the interpreter, with pympler.muppy's names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from .._core import all_objects, referents
from .heaps.graph import HIDDEN

__all__ = [
    "filter",
    "get_diff",
    "get_objects",
    "get_referents",
    "get_size",
    "print_summary",
    "sort",
]


def get_objects(
    remove_dups: bool = True, include_frames: bool = False, *, tracked: bool = False
) -> list[Any]:
    """Give all objects of the interpreter, untracked ones included.

    Parameters
    ----------
    remove_dups : bool
        For callers of pympler: there are none.
    include_frames : bool
        Frame objects too.
    tracked : bool
        Only those that the garbage collector tracks.

    Notes
    -----
    Pympler looks one reference beyond the tracked objects, this one as far as there is
    something. The list holds them all: give it up soon.
    """
    import gc
    import types

    found = gc.get_objects() if tracked else all_objects(HIDDEN)
    if include_frames:
        return found
    return [it for it in found if type(it) is not types.FrameType]


def get_size(objects: Iterable[Any]) -> int:
    """Give the bytes of the objects themselves; those that have no size count 0."""
    total = 0
    for it in objects:
        try:
            total += sys.getsizeof(it)
        except (AttributeError, TypeError, ReferenceError):
            continue
    return total


def get_diff(left: Iterable[Any], right: Iterable[Any]) -> dict[str, list[Any]]:
    """Give the objects of one list that are not in the other, under '+' and '-'."""
    before, after = list(left), list(right)
    old, new = {id(it) for it in before}, {id(it) for it in after}
    return {
        "+": [it for it in after if id(it) not in old],
        "-": [it for it in before if id(it) not in new],
    }


def sort(objects: Iterable[Any]) -> list[Any]:
    """Give the objects by their own size, the smallest first."""
    return sorted(objects, key=lambda it: get_size([it]))


def filter(
    objects: Iterable[Any],
    Type: type | None = None,
    min: int = -1,
    max: int = -1,
) -> list[Any]:
    """Give the objects of a type, from one size to another; -1 is no limit."""
    if min > max > -1:
        raise ValueError("minimum must be smaller than maximum")
    return [
        it
        for it in objects
        if (Type is None or isinstance(it, Type))
        and (min < 0 or get_size([it]) >= min)
        and (max < 0 or get_size([it]) <= max)
    ]


def get_referents(object: Any, level: int = 1) -> list[Any]:
    """Give what an object holds, up to `level` references away, each once."""
    seen = {id(object)}
    found: list[Any] = []
    near = [object]
    for _ in range(level):
        following = []
        for it in near:
            for other in referents(it):
                if id(other) not in seen:
                    seen.add(id(other))
                    following.append(other)
        found += following
        near = following
    return found


def print_summary(print_: Callable[[str], object] = print) -> None:
    """Print the types with the most bytes of all objects."""
    from . import summary

    for line in summary.format_(summary.summarize()):
        print_(line)
