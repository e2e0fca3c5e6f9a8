"""guppy's session: ``from nbprobe.graphs import hpy`` takes the place of guppy's."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .graph import HeapGraph, HeapMark, heap, load_heap
from .sets import ObjectSet

__all__ = ["Hpy", "hpy"]


class Hpy:
    """What ``hpy()`` gives: heaps as sets, from a reference point on.

    Each call takes the heap anew. Small sets of different moments can be put together:
    ``h.heap() - h.iso(x)``.
    """

    def __init__(self) -> None:
        self._mark: HeapMark | None = None

    def heap(self) -> ObjectSet:
        """Give all objects that something leads to, those since `setref` if it was set."""
        graph = heap()
        return self._new(graph, graph.all - graph.garbage)

    def heapu(self) -> ObjectSet:
        """Give what nothing leads to and the collector has not freed yet."""
        graph = heap()
        return self._new(graph, graph.garbage)

    def _new(self, graph: HeapGraph, members: ObjectSet) -> ObjectSet:
        if self._mark is None:
            return members
        return (members & graph.since(self._mark)) - graph.of(self._mark).dominos

    def iso(self, *objects: object) -> ObjectSet:
        """Give the set of some objects.

        Of a list's items, `idset` is the better question: ``iso(*items)`` makes a tuple
        of them, which is then among what holds them.
        """
        return heap().of(*objects)

    def idset(self, objects: Iterable[object]) -> ObjectSet:
        """Give the set of the objects that a list or another iterable has."""
        addresses = [id(it) for it in objects]
        graph = heap()
        numbers = [it for address in addresses for it in graph.at(address)]
        return graph._set(graph.core.set_of(numbers))

    def setref(self) -> None:
        """Leave out of `heap` from now on what there is now."""
        self._mark = heap(names=False).mark()

    setrelheap = setref

    def load(self, path: str | os.PathLike[str]) -> ObjectSet:
        """Read a heap that `dumph` wrote, here or elsewhere."""
        return load_heap(path).all

    def dumph(self, path: str | os.PathLike[str]) -> None:
        """Write the heap to a file."""
        heap().save(path)

    def __repr__(self) -> str:
        return "<hpy : heap() iso(x) setref(); of sets: byrcs byvia bysize rp sp [0]>"


def hpy() -> Hpy:
    """Start a session as guppy's ``hpy()`` does.

    Examples
    --------
    >>> h = hpy()
    >>> h.setref()
    >>> made = [[] for _ in range(100)]
    >>> h.heap().bytype[0].count >= 100
    True
    """
    return Hpy()
