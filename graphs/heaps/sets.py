"""Sets of the objects of a heap: partitions, set algebra, paths, retained sizes."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO, Union

from ...views import units
from ..labels import long_name
from .holders import way_to
from .kinds import Classifier, Kind, as_kind
from .partitions import By, Partition
from .pattern import Pattern
from .result import CountChange, HeapDiff
from .routes import Paths, direct, shortest
from .stat import Stat

if TYPE_CHECKING:
    from .graph import HeapGraph

__all__ = ["Members", "ObjectSet"]

# What stands beside a set: another one, or what its objects are.
Members = Union["ObjectSet", Kind, type]


class Page:
    """Some rows of a table: ten, or all."""

    def __init__(
        self, partition: Partition, start: int, limit: int | None = 10
    ) -> None:
        self.partition = partition
        self.start = start
        self.limit = limit

    @property
    def more(self) -> Page:
        """The rows after these."""
        return Page(self.partition, self.start + 10)

    def __str__(self) -> str:
        return units.for_stdout(self.partition.table(self.limit, self.start))

    __repr__ = __str__


class ObjectSet:
    """A set of objects of one heap.

    ``&``, ``|``, ``-`` and ``^`` make new sets, ``<=`` compares, also sets of two moments;
    a class or a kind stands for the objects that are of it. ``x in`` asks for an object.
    Printing a set gives
    guppy's table, an index the set of one row of it, a slice that of several; `byrcs` and
    the like are the same set with another table.
    """

    __slots__ = ("_partition", "_total", "bits", "graph", "what")

    def __init__(self, graph: HeapGraph, bits: int, what: By = "kind") -> None:
        self.graph = graph
        self.bits = bits
        self.what: By = what
        self._total: tuple[int, int] | None = None
        self._partition: Partition | None = None

    @property
    def content(self) -> bytes:
        """The set as the core takes it."""
        return self.bits.to_bytes((self.graph.objects + 7) // 8, "little")

    @property
    def count(self) -> int:
        """How many objects there are in it."""
        return self.bits.bit_count()

    @property
    def size(self) -> int:
        """Their own bytes."""
        if self._total is None:
            self._total = self.graph.core.total(self.content)
        return self._total[1]

    @property
    def indisize(self) -> int:
        """The same as `size`."""
        return self.size

    def __len__(self) -> int:
        """How many rows the table has; `count` is the number of objects."""
        return len(self.partition)

    def __bool__(self) -> bool:
        return self.bits != 0

    def __contains__(self, it: object) -> bool:
        number = self.graph.core.find(it)
        return number is not None and bool(self.bits >> number & 1)

    def _other(self, other: Members, within: ObjectSet | None = None) -> int:
        """Give the bits of another set, or of a kind in a set, by default in all."""
        if not isinstance(other, ObjectSet):
            return as_kind(other).of(within or self.graph.all).bits
        if other.graph is self.graph:
            return other.bits
        if self.graph.source or other.graph.source:
            raise ValueError("a heap from a file has no objects in common: use diff()")
        # The objects of another moment that are in this heap too.
        common = self.graph.core.common(other.graph.core, other.content)
        bits = int.from_bytes(common, "little")
        # What stands for memory is made for each heap, and the memory may be the same.
        there = {
            piece
            for number, piece in other.graph.memory.items()
            if other.bits >> number & 1
        }
        for number, piece in self.graph.memory.items():
            bits = bits & ~(1 << number) | (piece in there) << number
        return bits

    def __and__(self, other: Members) -> ObjectSet:
        return ObjectSet(self.graph, self.bits & self._other(other, self), self.what)

    def __or__(self, other: Members) -> ObjectSet:
        return ObjectSet(self.graph, self.bits | self._other(other), self.what)

    def __sub__(self, other: Members) -> ObjectSet:
        return ObjectSet(self.graph, self.bits & ~self._other(other, self), self.what)

    def __xor__(self, other: Members) -> ObjectSet:
        return ObjectSet(self.graph, self.bits ^ self._other(other), self.what)

    def __le__(self, other: Members) -> bool:
        return self.bits & ~self._other(other, self) == 0

    def __lt__(self, other: Members) -> bool:
        return self <= other and self.bits != self._other(other)

    def __ge__(self, other: Members) -> bool:
        return self._other(other) & ~self.bits == 0

    def __gt__(self, other: Members) -> bool:
        return self >= other and self.bits != self._other(other)

    def disjoint(self, other: Members) -> bool:
        """Tell whether no object is in both."""
        return self.bits & self._other(other, self) == 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectSet):
            return NotImplemented
        if self.graph is other.graph:
            return self.bits == other.bits
        if self.count != other.count or self.graph.source or other.graph.source:
            return False
        return self.bits == self._other(other)

    def __hash__(self) -> int:
        return hash(self.count)  # equal sets of two moments have different bits

    def by(self, what: By | Classifier = "kind") -> Partition:
        """Part the set.

        Parameters
        ----------
        what : str or Classifier
            ``'kind'`` is the type, with the dictionaries of attributes of each type
            apart; ``'type'``, ``'size'``; ``'holders'`` the types of all objects that
            hold it; ``'module'`` that of its type; ``'via'`` the names of the references
            to it; ``'producer'`` the line that made it; ``'identity'`` each by itself;
            ``'unity'`` all in one.
        """
        chosen = what.what if isinstance(what, Classifier) else what
        # Of a set of its own: with this one it would be a circle, which only the
        # collector frees, and the heap with it.
        return Partition(ObjectSet(self.graph, self.bits, chosen), chosen)

    @property
    def bytype(self) -> ObjectSet:
        """The set by type."""
        return ObjectSet(self.graph, self.bits, "type")

    @property
    def byclodo(self) -> ObjectSet:
        """The set by class, or by the class whose instance has the dictionary."""
        return ObjectSet(self.graph, self.bits, "kind")

    @property
    def bysize(self) -> ObjectSet:
        """The set by the size of the objects."""
        return ObjectSet(self.graph, self.bits, "size")

    @property
    def byrcs(self) -> ObjectSet:
        """The set by the types of what holds the objects."""
        return ObjectSet(self.graph, self.bits, "holders")

    @property
    def bymodule(self) -> ObjectSet:
        """The set by the module of the objects' types."""
        return ObjectSet(self.graph, self.bits, "module")

    @property
    def byvia(self) -> ObjectSet:
        """The set by the names of the references to the objects."""
        return ObjectSet(self.graph, self.bits, "via")

    @property
    def byprod(self) -> ObjectSet:
        """The set by the line that made the objects; `tracemalloc` must have been on."""
        return ObjectSet(self.graph, self.bits, "producer")

    @property
    def byunity(self) -> ObjectSet:
        """The set in one row."""
        return ObjectSet(self.graph, self.bits, "unity")

    @property
    def byid(self) -> ObjectSet:
        """The set with each object by itself, the largest first."""
        return ObjectSet(self.graph, self.bits, "identity")

    @property
    def partition(self) -> Partition:
        """The table of the set."""
        if self._partition is None:
            self._partition = self.by(self.what)
        return self._partition

    @property
    def parts(self) -> list[ObjectSet]:
        """The sets of its rows."""
        return list(self.partition)

    @property
    def more(self) -> Page:
        """The next rows of the table; they have a `more` too."""
        return Page(self.partition, 10)

    @property
    def all(self) -> Page:
        """All rows of the table."""
        return Page(self.partition, 0, None)

    @property
    def stat(self) -> Stat:
        """The figures of the table, without the objects."""
        return self.partition.stat

    def dump(self, fn: str | os.PathLike[str] | TextIO, mode: str = "a") -> None:
        """Write the figures of the table to a file, which `Hpy.load` reads."""
        self.stat.dump(fn, mode)

    def __getitem__(self, index: int | slice) -> ObjectSet:
        return self.partition[index]

    def __iter__(self) -> Iterator[ObjectSet]:
        return iter(self.partition)

    @property
    def referrers(self) -> ObjectSet:
        """What holds an object of the set."""
        return self.graph._set(self.graph.core.neighbours(self.content, True))

    @property
    def referents(self) -> ObjectSet:
        """What an object of the set holds."""
        return self.graph._set(self.graph.core.neighbours(self.content, False))

    @property
    def reachable(self) -> ObjectSet:
        """The data that the set leads to: not through modules, classes and functions."""
        return self.graph._set(self.graph.core.reach(self.content, True))

    @property
    def dominos(self) -> ObjectSet:
        """What would be freed if the objects of the set went, themselves included."""
        return self.graph._set(self.graph.core.retained_set(self.content))

    @property
    def domisize(self) -> int:
        """Bytes that would be freed if the objects of the set went."""
        return self.dominos.size

    def largest(
        self, limit: int = 10, *, retained: bool = False
    ) -> list[tuple[str, int]]:
        """Give how the largest objects are reached, and their bytes.

        Parameters
        ----------
        limit : int
        retained : bool
            By what would be freed with each, and not by its own size.
        """
        core = self.graph.core
        if not self.bits:
            return []
        return [
            (way_to(core, node).expression, size)
            for node, size in core.largest(self.content, retained, limit)
        ]

    def get_shpaths(
        self,
        limit: int = 10,
        *,
        src: ObjectSet | None = None,
        avoid_nodes: ObjectSet | None = None,
    ) -> Paths:
        """Give a shortest path to each of the first objects, as code.

        Parameters
        ----------
        limit : int
        src : ObjectSet, optional
            Where paths begin; modules and running functions by default.
        avoid_nodes : ObjectSet, optional
            No path leads through these, which shows what else holds an object.
        """
        return shortest(self, limit, self._here(src), self._here(avoid_nodes))

    def _here(self, other: ObjectSet | None) -> ObjectSet | None:
        return None if other is None else ObjectSet(self.graph, self._other(other))

    @property
    def pathsin(self) -> Paths:
        """The references to the first objects, as code."""
        return direct(self, True, 10)

    @property
    def pathsout(self) -> Paths:
        """What the first objects hold, as code."""
        return direct(self, False, 10)

    @property
    def shpaths(self) -> Paths:
        """The shortest paths to the first objects."""
        return self.get_shpaths()

    @property
    def sp(self) -> Paths:
        """The same as `shpaths`."""
        return self.get_shpaths()

    def get_rp(self, depth: int = 4) -> Pattern:
        """Give what holds the objects, by kind, and what holds that, as a tree.

        Parameters
        ----------
        depth : int
            How many references away.
        """
        return Pattern(self, depth)

    @property
    def rp(self) -> Pattern:
        """The reference pattern: what holds the objects, by kind, as a tree."""
        return self.get_rp()

    @property
    def owners(self) -> ObjectSet:
        """The objects whose attributes the dictionaries of the set have."""
        core = self.graph.core
        found = []
        for node in core.nodes((self & self.graph.type("dict")).content, self.count):
            holders = core.references_of(node, True)
            found += [other for other, name in holders if name == ".__dict__"]
        return self.graph._set(core.set_of(found))

    def diff(self, before: ObjectSet) -> HeapDiff:
        """Compare with a set of another moment, row by row of this one's table.

        The sets may be of different heaps, also of files.
        """
        old = {row.key: (row.count, row.size) for row in before.by(self.what).rows}
        new = {row.key: (row.count, row.size) for row in self.partition.rows}
        rows = []
        for key in old.keys() | new.keys():
            (a, x), (b, y) = old.get(key, (0, 0)), new.get(key, (0, 0))
            if (a, x) != (b, y):
                rows.append(CountChange(key, (a, b), (x, y)))
        rows.sort(key=lambda row: (-abs(row.bytes[1] - row.bytes[0]), row.name))
        return HeapDiff(
            (before.count, self.count), (before.size, self.size), tuple(rows)
        )

    @property
    def imdom(self) -> ObjectSet:
        """The nearest objects that alone lead to the objects of the set."""
        core = self.graph.core
        found = {core.dominator(it)[0] for it in core.nodes(self.content, self.count)}
        return self.graph._set(core.set_of([it for it in found if it is not None]))

    @property
    def theone(self) -> Any:
        """The object, of a set of one."""
        found = self.live() if self.count == 1 else []
        if len(found) != 1:
            raise ValueError(
                f"a set of one object that is alive is needed, not {self.count}"
            )
        return found[0]

    @property
    def prod(self) -> str:
        """Where the object of a set of one was made; `tracemalloc` must have been on."""
        trace = tracemalloc.get_object_traceback(self.theone)
        return "\n".join(trace.format()) if trace else "unknown"

    def live(self) -> list[Any]:
        """Give the objects themselves, those that are still alive.

        Only where the heap was taken. What has taken a dead object's place since, and is
        of the same type, is taken for it.
        """
        if self.graph.source:
            raise ValueError("a heap from a file has no objects, only their figures")
        names = set(self.graph.core.type_names)
        found = self.graph.core.alive(self.content, ())
        return [
            it for it in found if long_name(type(it)).removeprefix("builtins.") in names
        ]

    def __str__(self) -> str:
        return str(self.partition)

    __repr__ = __str__
