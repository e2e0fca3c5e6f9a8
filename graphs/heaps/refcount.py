"""Whose the references to an object are."""

from __future__ import annotations

import collections
import sys
from typing import Any

from ..._core import Heap
from ..labels import describe, long_name
from .graph import HIDDEN
from .holders import folded
from .result import Refcount

__all__ = ["refcount"]

_ROWS = 50
# From 3.12 on an immortal object's count is a constant at least as large.
_IMMORTAL = 2**30


def refcount(obj: Any, /, *, ours: int = 0) -> Refcount:
    """Count the references to an object exactly, and say whose they are.

    Parameters
    ----------
    obj : object
    ours : int
        References of the caller for the sake of this call alone.

    Notes
    -----
    `sys.getrefcount` gives a number in which its own argument counts. Here references of
    other objects and of running functions are told apart, by what the collector's
    traversal reports; the rest is outside: C code, the interpreter, an expression that is
    being evaluated.
    """
    graph = Heap(HIDDEN, True)
    node = graph.find(obj)
    # Of this call: its own variable, and the argument of getrefcount.
    counted = sys.getrefcount(obj)
    total = counted - _own_references() - ours
    objects: collections.Counter[str] = collections.Counter()
    frames: collections.Counter[str] = collections.Counter()
    if node is not None:
        seen: set[int] = set()
        for holder, _ in graph.references_of(node, True):
            if holder in seen:
                continue
            seen.add(holder)
            _, type_name, _, label, _, _ = graph.node(holder)
            for other, name in graph.references_of(holder, False):
                if other != node:
                    continue
                if type_name == "frame" and name[:1].isidentifier():
                    frames[f"{name} in {label}"] += 1
                else:
                    objects[_expression(graph, holder, name, type_name)] += 1
    held = sum(objects.values()) + sum(frames.values())
    immortal = counted >= _IMMORTAL
    return Refcount(
        long_name(type(obj)).removeprefix("builtins."),
        describe(obj),
        None if immortal else total,
        tuple(objects.most_common(_ROWS)),
        tuple(frames.most_common(_ROWS)),
        0 if immortal else max(total - held, 0),
    )


def _own_references() -> int:
    """Count what `refcount` itself adds to a count: the same call on a new object."""
    return _probe(object())


def _probe(obj: object, /) -> int:
    return sys.getrefcount(obj)


def _expression(graph: Heap, holder: int, name: str, type_name: str) -> str:
    from .holders import way_to

    if not name:
        name = " -> (unnamed)"
    way = way_to(graph, holder)
    return folded(f".{way.expression}{name}").removeprefix(".")
