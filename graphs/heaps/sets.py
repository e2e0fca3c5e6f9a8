"""Sets of the objects of a heap: partitions, set algebra, paths, retained sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...views import units
from ..labels import long_name
from .holders import way_to
from .partitions import By, Partition
from .pattern import pattern
from .result import CountChange, HeapDiff

if TYPE_CHECKING:
    from .graph import HeapGraph

__all__ = ["ObjectSet"]

# So many members of a set are looked up one by one in another heap.
_TRANSLATED = 10_000


class Text(str):
    """A text that is shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Page:
    """Ten rows of a table."""

    def __init__(self, partition: Partition, start: int) -> None:
        self.partition = partition
        self.start = start

    @property
    def more(self) -> Page:
        """The rows after these."""
        return Page(self.partition, self.start + 10)

    def __str__(self) -> str:
        return units.for_stdout(self.partition.table(10, self.start))

    __repr__ = __str__


class Paths(list[str]):
    """Paths to objects; printed with their numbers."""

    def __str__(self) -> str:
        lines = [f"{number:2d}: {path}" for number, path in enumerate(self)]
        return units.for_stdout("\n".join(lines))

    __repr__ = __str__


class ObjectSet:
    """A set of objects of one heap.

    ``&``, ``|``, ``-`` and ``^`` make new sets, ``<=`` compares. Printing a set gives
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
        return self.count

    def __bool__(self) -> bool:
        return self.bits != 0

    def _other(self, other: object) -> int:
        if not isinstance(other, ObjectSet):
            raise TypeError(f"not a set of objects: {type(other).__name__}")
        return other.bits if other.graph is self.graph else self._translated(other)

    def _translated(self, other: ObjectSet) -> int:
        """Give the objects of another heap of this process that are in this one too."""
        if self.graph.source or other.graph.source or other.count > _TRANSLATED:
            raise ValueError("the two sets are of different heaps; use since() first")
        bits = 0
        for there in other.graph.core.nodes(other.content, _TRANSLATED):
            address, type_name, *_ = other.graph.core.node(there)
            number = self.graph.core.find_address(address)
            if number is not None and self.graph.core.node(number)[1] == type_name:
                bits |= 1 << number
        return bits

    def __and__(self, other: ObjectSet) -> ObjectSet:
        return ObjectSet(self.graph, self.bits & self._other(other))

    def __or__(self, other: ObjectSet) -> ObjectSet:
        return ObjectSet(self.graph, self.bits | self._other(other))

    def __sub__(self, other: ObjectSet) -> ObjectSet:
        return ObjectSet(self.graph, self.bits & ~self._other(other))

    def __xor__(self, other: ObjectSet) -> ObjectSet:
        return ObjectSet(self.graph, self.bits ^ self._other(other))

    def __le__(self, other: ObjectSet) -> bool:
        return self.bits & ~self._other(other) == 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectSet):
            return NotImplemented
        return self.graph is other.graph and self.bits == other.bits

    def __hash__(self) -> int:
        return hash((id(self.graph), self.bits))

    def by(self, what: By = "kind") -> Partition:
        """Part the set.

        Parameters
        ----------
        what : str
            ``'kind'`` is the type, with the dictionaries of attributes of each type
            apart; ``'type'``, ``'size'``; ``'holders'`` the types of all objects that
            hold it; ``'module'`` that of its type; ``'via'`` the names of the references
            to it; ``'producer'`` the line that made it; ``'identity'`` each by itself;
            ``'unity'`` all in one.
        """
        return Partition(self, what)

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

    def get_shpaths(self, limit: int = 10) -> Paths:
        """Give the shortest path to each of the first objects, as code."""
        core = self.graph.core
        return Paths(
            way_to(core, node).expression for node in core.nodes(self.content, limit)
        )

    @property
    def shpaths(self) -> Paths:
        """The shortest paths to the first objects."""
        return self.get_shpaths()

    @property
    def sp(self) -> Paths:
        """The same as `shpaths`."""
        return self.get_shpaths()

    def get_rp(self, depth: int = 4) -> Text:
        """Give what holds the objects, by kind, and what holds that, as a tree.

        Parameters
        ----------
        depth : int
            How many references away.
        """
        return Text(pattern(self, depth))

    @property
    def rp(self) -> Text:
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
