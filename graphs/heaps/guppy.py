"""guppy's session: ``from nbprobe.graphs import hpy`` takes the place of guppy's."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import closing

from ...errors import ResultFileError
from .graph import HeapGraph, HeapMark, heap, load_heap
from .kinds import Classifier
from .sets import ObjectSet
from .stat import Stat, read_stats

__all__ = ["Hpy", "hpy"]


class Hpy:
    """What ``hpy()`` gives: heaps as sets, from a reference point on.

    Each call takes the heap anew, and sets of different moments can be put together:
    ``h.heap() - before``. `Type`, `Clodo`, `Size`, `Module`, `Rcs`, `Via`, `Prod`, `Id` and
    `Unity` part sets (``h.heap().by(h.Type)``), and called they give a kind, which stands
    where a set may stand: ``h.heap() & h.Clodo(dictof=Order)``; a class does as well.
    """

    Type = Classifier("type")
    Clodo = Classifier("kind")
    Size = Classifier("size")
    Module = Classifier("module")
    Rcs = Classifier("holders")
    Via = Classifier("via")
    Prod = Classifier("producer")
    Id = Classifier("identity")
    Unity = Classifier("unity")
    Anything = Unity()
    Nothing = ~Anything

    def __init__(self) -> None:
        self._mark: HeapMark | None = None

    def heap(self) -> ObjectSet:
        """Give all objects that something leads to, those since `setref` if it was set."""
        graph = heap()
        # Nor what only functions hold that are not shown.
        hidden = graph._set(graph.core.unreached_set(True))
        return self._new(graph, graph.all - graph.garbage - hidden - graph.ours)

    def heapu(self) -> ObjectSet:
        """Give what nothing leads to and the collector has not freed yet."""
        graph = heap()
        return self._new(graph, graph.garbage - graph.ours)

    def _new(self, graph: HeapGraph, members: ObjectSet) -> ObjectSet:
        if self._mark is None:
            return members
        return members & graph.since(self._mark)

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

    def load(self, path: str | os.PathLike[str]) -> ObjectSet | Stat:
        """Read a heap that `dumph` wrote, or the first figures that `dump` did."""
        try:
            return load_heap(path).all
        except ResultFileError:
            with open(path, encoding="utf-8", errors="replace") as file:
                if not file.read(1) == ".":
                    raise
        with closing(self.loadall(path)) as found:
            return next(found)

    def loadall(self, path: str | os.PathLike[str]) -> Generator[Stat]:
        """Read all figures that `dump` wrote to a file, the oldest first."""
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from read_stats(file, os.fspath(path))

    def dumph(self, path: str | os.PathLike[str]) -> None:
        """Write the heap to a file."""
        heap().save(path)

    @property
    def doc(self) -> str:
        """What there is."""
        return (type(self).__doc__ or "").strip()

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
