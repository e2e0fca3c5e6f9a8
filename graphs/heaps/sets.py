"""A heap and sets of its objects: partitions, set algebra, paths, retained sizes."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from ..._core import Heap, Mark
from ...errors import ResultFileError
from ...results import replacing
from ...views import units
from ..lent import take
from .holders import way_to
from .result import HeapSummary

__all__ = ["HeapGraph", "HeapMark", "ObjectSet", "Partition", "heap", "load_heap"]

# What runs a cell and what looks at the heap: their functions hold everything for a
# moment, which explains nothing.
HIDDEN = (
    "nbprobe",
    "IPython",
    "ipykernel",
    "asyncio",
    "tornado",
    "traitlets",
    "zmq",
    "runpy",
)

By = Literal["type", "kind", "size", "holders", "module"]


def heap(*, names: bool = True, hidden: Sequence[str] = HIDDEN) -> HeapGraph:
    """Take the interpreter's heap apart, as it is at this moment.

    Parameters
    ----------
    names : bool
        With the names of references, which paths and holders need. Without them it
        takes two thirds of the time and of the memory.
    hidden : sequence of str
        Packages whose running functions hold nothing.

    Returns
    -------
    HeapGraph
        Figures only: it holds none of the objects, and nothing was made, run or
        collected to get it.

    Examples
    --------
    >>> h = heap()
    >>> dicts = h.type("dict")
    >>> dicts.count > 0 and dicts.size > dicts.count
    True
    """
    created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    core, memory = take(hidden, names)
    about = {
        "python": platform.python_version(),
        "created": created,
        "pid": os.getpid(),
    }
    return HeapGraph(core, about, "", memory)


def load_heap(path: str | os.PathLike[str]) -> HeapGraph:
    """Read a heap that `HeapGraph.save` wrote, here or on another machine.

    Safe for files from strangers: every number is checked before it is used, and nothing
    in the file is run or imported.

    Raises
    ------
    ResultFileError
        The file is damaged or is no heap; the message is one line that says which.
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    name = os.fspath(path)
    try:
        core = Heap.read(content)
    except ValueError as error:
        raise ResultFileError(f"{name!a}: {error}") from None
    try:
        about = json.loads(core.about)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        about = {}
    return HeapGraph(core, about, str(name))


class HeapMark:
    """Which objects there were at a moment: ten bytes each, to tell what is new later."""

    def __init__(self, graph: HeapGraph) -> None:
        self.core = Mark(graph.core)
        self.memory = set(graph.memory.values())
        self.types = {name: (count, size) for name, count, size in graph.core.types()}
        self.objects = graph.objects
        self.size = sum(size for _, size in self.types.values())


class HeapGraph:
    """A heap: all objects of an interpreter at one moment, as figures.

    Attributes
    ----------
    core : _core.Heap
    about : dict
        Python's version, when and in which process it was taken.
    source : str
        The file that it was read from; empty for this process.
    memory : dict of int to tuple of (int, int)
        Address and bytes of the memory that objects show and do not own, by its number
        in the heap.
    """

    def __init__(
        self,
        core: Heap,
        about: dict[str, Any],
        source: str,
        memory: dict[int, tuple[int, int]] | None = None,
    ) -> None:
        self.core = core
        self.about = about
        self.source = source
        self.memory = memory or {}

    @property
    def objects(self) -> int:
        """How many objects there are, running frames included."""
        return self.core.objects

    @property
    def references(self) -> int:
        """How many references there are between them."""
        return self.core.references

    @property
    def all(self) -> ObjectSet:
        """All objects."""
        return ObjectSet(self, (1 << self.core.objects) - 1)

    @property
    def garbage(self) -> ObjectSet:
        """Objects that nothing leads to: they wait for the collector."""
        return self._set(self.core.unreached_set())

    def of(self, *objects: object) -> ObjectSet:
        """Give the set of some objects, which have been alive since.

        Raises
        ------
        LookupError
            One of them is not in the heap.
        """
        numbers = []
        for it in objects:
            number = self.core.find(it)
            if number is None:
                raise LookupError(
                    "the object was not in the heap when it was taken; a small number or"
                    " a text that only running code holds is in none"
                )
            numbers.append(number)
        return self._set(self.core.set_of(numbers))

    def type(self, name: str) -> ObjectSet:
        """Give the objects of a type, by its name with or without its module."""
        by_type = self.all.by("type")
        return by_type.where(lambda key: key == name or key.endswith("." + name))

    def at(self, address: int) -> list[int]:
        """Give the number of the object at an address, as a list of one or none."""
        number = self.core.find_address(address)
        return [] if number is None else [number]

    def mark(self) -> HeapMark:
        """Remember which objects there are, in little memory."""
        return HeapMark(self)

    def since(self, earlier: HeapGraph | HeapMark) -> ObjectSet:
        """Give what was not there at an earlier moment.

        An object of the same type at the place of one that died meanwhile is taken for
        that one.
        """
        if isinstance(earlier, HeapGraph):
            earlier = earlier.mark()
        new = self._set(self.core.new_since(earlier.core)).bits
        # What stands for memory is made for each heap, and the memory may be old.
        for number, piece in self.memory.items():
            new = new & ~(1 << number) | (piece not in earlier.memory) << number
        return ObjectSet(self, new)

    def summary(self) -> HeapSummary:
        """Give the heap by type, and what alone keeps much of it alive."""
        from .summary import summarize

        return summarize(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the heap to a file that `load_heap` and ``nbprobe heap`` read.

        The file holds addresses, sizes, the names of types, attributes, variables,
        classes and functions, and keys that are text, cut to 60 characters; no other
        values. It takes some 40 bytes an object. A file that is already there is
        replaced in one step.
        """
        with replacing(path) as file:
            self.core.write(file.fileno(), json.dumps(self.about))

    def _set(self, content: bytes) -> ObjectSet:
        return ObjectSet(self, int.from_bytes(content, "little"))

    def __repr__(self) -> str:
        where = f" from {self.source!r}" if self.source else ""
        return (
            f"<HeapGraph : {units.plural(self.objects, 'object')},"
            f" {units.plural(self.references, 'reference')}{where}>"
        )


class ObjectSet:
    """A set of objects of one heap.

    ``&``, ``|``, ``-`` and ``^`` make new sets, ``<=`` compares; both sets must be of the
    same heap.
    """

    __slots__ = ("_total", "bits", "graph")

    def __init__(self, graph: HeapGraph, bits: int) -> None:
        self.graph = graph
        self.bits = bits
        self._total: tuple[int, int] | None = None

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

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return self.bits != 0

    def _other(self, other: object) -> int:
        if not isinstance(other, ObjectSet):
            raise TypeError(f"not a set of objects: {type(other).__name__}")
        if other.graph is not self.graph:
            raise ValueError("the two sets are of different heaps; use since() first")
        return other.bits

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
        what : {'kind', 'type', 'size', 'holders', 'module'}
            ``'kind'`` is the type, with the dictionaries of attributes of each type
            apart; ``'holders'`` the types of all objects that hold it; ``'module'`` that
            of its type.
        """
        return Partition(self, what)

    @property
    def bytype(self) -> Partition:
        """The set by type."""
        return self.by("type")

    @property
    def byclodo(self) -> Partition:
        """The set by class, or by the class whose instance has the dictionary."""
        return self.by("kind")

    @property
    def bysize(self) -> Partition:
        """The set by the size of the objects."""
        return self.by("size")

    @property
    def byrcs(self) -> Partition:
        """The set by the types of what holds the objects."""
        return self.by("holders")

    @property
    def bymodule(self) -> Partition:
        """The set by the module of the objects' types."""
        return self.by("module")

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

    def shpaths(self, limit: int = 10) -> list[str]:
        """Give the shortest path to each of the first objects, as code."""
        core = self.graph.core
        return [
            way_to(core, node).expression for node in core.nodes(self.content, limit)
        ]

    @property
    def sp(self) -> list[str]:
        """The shortest paths to the first objects."""
        return self.shpaths()

    def live(self) -> list[Any]:
        """Give the objects themselves, those that are still alive.

        Only where the heap was taken. What has taken a dead object's place since, and is
        of the same type, is taken for it.
        """
        if self.graph.source:
            raise ValueError("a heap from a file has no objects, only their figures")
        names = set(self.graph.core.type_names)
        from ..labels import long_name

        found = self.graph.core.alive(self.content, ())
        return [
            it for it in found if long_name(type(it)).removeprefix("builtins.") in names
        ]

    def __repr__(self) -> str:
        return (
            f"<ObjectSet : {units.plural(self.count, 'object')}, {self.size:,} bytes>"
        )

    def __str__(self) -> str:
        return str(self.by("kind"))


class Row:
    """A part of a set: what it has in common, and its figures."""

    __slots__ = ("count", "key", "number", "size")

    def __init__(
        self, key: str, number: tuple[int, ...], count: int, size: int
    ) -> None:
        self.key = key
        self.number = number
        self.count = count
        self.size = size


_TITLES = {
    "kind": "Kind (class / dict of class)",
    "type": "Type",
    "size": "Individual Size",
    "holders": "Referrers by Type",
    "module": "Module",
}


class Partition:
    """A set in parts, those with the most bytes first.

    An index gives the set of one part, a slice that of several. Printing it gives
    guppy's table.
    """

    def __init__(self, whole: ObjectSet, what: By) -> None:
        self.whole = whole
        self.what = what
        core = whole.graph.core
        by = "type" if what == "module" else what
        self._classes, keys = core.classes(whole.content, by)
        merged: dict[str, list[int]] = {}
        for number, key in enumerate(keys):
            merged.setdefault(self._name(key), []).append(number)
        tally = core.tally(whole.content, self._classes, len(keys))
        self._length = len(keys)
        self.rows = [
            Row(
                name,
                tuple(numbers),
                sum(tally[number][0] for number in numbers),
                sum(tally[number][1] for number in numbers),
            )
            for name, numbers in merged.items()
        ]
        self.rows.sort(key=lambda row: (-row.size, -row.count, row.key))

    def _name(self, key: tuple[int, ...]) -> str:
        types = self.whole.graph.core.type_names
        if self.what == "size":
            return str(key[0] | key[1] << 32)
        if self.what == "holders":
            return ", ".join(types[number] for number in key) or "<Nothing>"
        if self.what == "module":
            return types[key[0]].rpartition(".")[0] or "builtins"
        if len(key) == 2:
            return f"dict of {types[key[1]]}"
        return types[key[0]]

    def where(self, predicate: Any) -> ObjectSet:
        """Give the set of the parts whose key `predicate` is true of."""
        return self._select([row for row in self.rows if predicate(row.key)])

    def _select(self, rows: list[Row]) -> ObjectSet:
        wanted = bytearray(self._length)
        for row in rows:
            for number in row.number:
                wanted[number] = 1
        graph = self.whole.graph
        content = self.whole.content
        return graph._set(graph.core.select(content, self._classes, bytes(wanted)))

    def __getitem__(self, index: int | slice) -> ObjectSet:
        rows = self.rows[index]
        return self._select(rows if isinstance(rows, list) else [rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ObjectSet]:
        return (self[index] for index in range(len(self.rows)))

    def table(self, limit: int | None = 10) -> str:
        """Give the table of the first parts, in guppy's form."""
        from ...views.names import clean, one_line

        total, size = self.whole.count or 1, self.whole.size or 1
        lines = [
            f"Partition of a set of {self.whole.count} objects. Total size ="
            f" {self.whole.size} bytes.",
            f" Index  Count   %     Size   % Cumulative  % {_TITLES[self.what]}",
        ]
        sum_so_far = 0
        for index, row in enumerate(self.rows[:limit]):
            sum_so_far += row.size
            lines.append(
                f"{index:6d} {row.count:6d} {row.count * 100 / total:3.0f}"
                f" {row.size:8d} {row.size * 100 / size:3.0f} {sum_so_far:9d}"
                f" {sum_so_far * 100 / size:3.0f} {one_line(clean(row.key), 100)}"
            )
        if limit is not None and len(self.rows) > limit:
            lines.append(f"<{len(self.rows) - limit} more rows: table(None)>")
        return "\n".join(lines)

    def __str__(self) -> str:
        return units.for_stdout(self.table())

    def __repr__(self) -> str:
        return f"<Partition : {units.plural(len(self.rows), 'part')} by {self.what}>"
