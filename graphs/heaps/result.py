"""What the tools of the whole heap find, as plain data that can be saved and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ...results import Result

__all__ = [
    "ClassHistory",
    "ClassMoment",
    "Cluster",
    "Collector",
    "CountChange",
    "Cycle",
    "Cycles",
    "Growth",
    "HeapDiff",
    "HeapSummary",
    "Leaks",
    "NewType",
    "Pause",
    "Refcount",
    "Suspect",
    "TypeRow",
    "Variable",
    "Variables",
]


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The objects of a type.

    Attributes
    ----------
    name : str
        With its module.
    count : int
    bytes : int
        Of the objects themselves.
    retained : int
        Bytes that would be freed if all of them went.
    """

    name: str
    count: int
    bytes: int
    retained: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """An object that alone keeps much of the heap alive.

    Attributes
    ----------
    type : str
    bytes : int
        Of the object itself.
    retained : int
        Bytes that would be freed with it.
    holder : str
        How to reach it, as code.
    place : str
        Where that begins, in words.
    held : tuple of TypeRow
        What it retains, the types with the most bytes; without what those retain.
    """

    type: str
    bytes: int
    retained: int
    holder: str
    place: str
    held: tuple[TypeRow, ...]


@dataclass(frozen=True, slots=True)
class CountChange:
    """The objects of a type in two heaps."""

    name: str
    count: tuple[int, int]
    bytes: tuple[int, int]


@dataclass(frozen=True, slots=True, repr=False)
class HeapSummary(Result):
    """A heap by type, and what alone keeps much of it alive.

    Attributes
    ----------
    objects, bytes : int
        All objects, untracked ones included, and their own bytes.
    references : int
    garbage : tuple of (int, int)
        Objects that nothing leads to and that wait for the collector; their bytes.
    types : tuple of TypeRow
        The most bytes first.
    biggest : tuple of Suspect
        Objects that retain the most, none of them below another.
    source : str
        The file that the heap was read from; empty for this process.
    python, created : str
    devices : tuple of (str, int)
        Memory of devices, by their names; it is in none of the other figures.
    """

    kind: ClassVar[str] = "graphs.heap"

    objects: int
    bytes: int
    references: int
    garbage: tuple[int, int]
    types: tuple[TypeRow, ...]
    biggest: tuple[Suspect, ...]
    source: str
    python: str
    created: str
    devices: tuple[tuple[str, int], ...] = ()

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Those of `biggest` that retain a tenth of the heap or more."""
        return tuple(it for it in self.biggest if it.retained >= self.bytes / 10)

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each type."""
        return [
            {
                "type": row.name,
                "count": row.count,
                "bytes": row.bytes,
                "retained": row.retained,
            }
            for row in self.types
        ]

    def diff(self, before: HeapSummary) -> HeapDiff:
        """Compare with an earlier summary, type by type."""
        old = {row.name: row for row in before.types}
        new = {row.name: row for row in self.types}
        rows = []
        for name in old.keys() | new.keys():
            a, b = old.get(name), new.get(name)
            count = (a.count if a else 0, b.count if b else 0)
            size = (a.bytes if a else 0, b.bytes if b else 0)
            if count[0] != count[1] or size[0] != size[1]:
                rows.append(CountChange(name, count, size))
        rows.sort(key=lambda row: (-abs(row.bytes[1] - row.bytes[0]), row.name))
        return HeapDiff(
            (before.objects, self.objects), (before.bytes, self.bytes), tuple(rows)
        )


@dataclass(frozen=True, slots=True, repr=False)
class HeapDiff(Result):
    """Two heaps compared: each figure before and after."""

    kind: ClassVar[str] = "graphs.heapdiff"

    objects: tuple[int, int]
    bytes: tuple[int, int]
    types: tuple[CountChange, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each type that differs."""
        return [
            {
                "type": row.name,
                "count": row.count[1] - row.count[0],
                "bytes": row.bytes[1] - row.bytes[0],
            }
            for row in self.types
        ]


@dataclass(frozen=True, slots=True)
class NewType:
    """New objects of a type: how many, their bytes, and the change of the number alive."""

    name: str
    count: int
    bytes: int
    change: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """New objects that are held in the same way.

    Attributes
    ----------
    holder : str
        How the first of them is reached, as code; what differs is written ``…``.
    place : str
        Where that begins, in words.
    type : str
        Of the objects that are held there.
    entrances : int
        How many of them are held there.
    count, bytes : int
        Them and the new objects below.
    again : int
        As `entrances`, in the second run of `Leaks`; 0 elsewhere.
    """

    holder: str
    place: str
    type: str
    entrances: int
    count: int
    bytes: int
    again: int


@dataclass(frozen=True, slots=True, repr=False)
class Growth(Result):
    """What is new in the heap.

    Attributes
    ----------
    since : str
        Since when, in words.
    objects, bytes : tuple of int
        Of the whole heap, before and after.
    new : tuple of (int, int)
        New objects, and their bytes.
    types : tuple of NewType
    clusters : tuple of Cluster
    bookkeeping : tuple of (int, int)
        New objects that IPython keeps for itself, and their bytes: in none of the
        others.
    """

    kind: ClassVar[str] = "graphs.growth"

    since: str
    objects: tuple[int, int]
    bytes: tuple[int, int]
    new: tuple[int, int]
    types: tuple[NewType, ...]
    clusters: tuple[Cluster, ...]
    bookkeeping: tuple[int, int]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each type."""
        return [
            {
                "type": row.name,
                "new": row.count,
                "bytes": row.bytes,
                "change": row.change,
            }
            for row in self.types
        ]


@dataclass(frozen=True, slots=True, repr=False)
class Leaks(Result):
    """What a statement left behind that a second run of it did not take away.

    Attributes
    ----------
    statement : str
    left : tuple of (int, int)
        Objects that the first run made and that are alive after the second; bytes.
    again : tuple of (int, int)
        Objects that the second run made and that are alive; bytes.
    clusters : tuple of Cluster
        The objects of `left` by what holds them.
    """

    kind: ClassVar[str] = "graphs.leaks"

    statement: str
    left: tuple[int, int]
    again: tuple[int, int]
    clusters: tuple[Cluster, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each cluster."""
        return [
            {
                "holder": it.holder,
                "place": it.place,
                "type": it.type,
                "objects": it.count,
                "bytes": it.bytes,
                "again": it.again,
            }
            for it in self.clusters
        ]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and the memory behind it.

    Attributes
    ----------
    name, type : str
    shallow : int
        Bytes of the object itself.
    deep : int
        Bytes of all data that it leads to, itself included.
    retained : int
        Bytes that would be freed if the object went.
    shared : tuple of (str, int)
        Other variables that lead to the same data, and to how many bytes of it.
    holders : int
        References to the object beside the variable's.
    devices : tuple of (str, int)
        Memory of devices that it leads to, by their names: not in the other figures.
    """

    name: str
    type: str
    shallow: int
    deep: int
    retained: int
    shared: tuple[tuple[str, int], ...]
    holders: int
    devices: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Variables(Result):
    """Variables by the memory behind them, the largest first.

    `left_out` names those that were not looked at, when there are very many.
    """

    kind: ClassVar[str] = "graphs.sizes"

    variables: tuple[Variable, ...]
    left_out: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each variable."""
        return [
            {
                "name": it.name,
                "type": it.type,
                "shallow": it.shallow,
                "deep": it.deep,
                "retained": it.retained,
                "shared_with": ", ".join(name for name, _ in it.shared),
                "holders": it.holders,
                "devices": sum(size for _, size in it.devices),
            }
            for it in self.variables
        ]


@dataclass(frozen=True, slots=True)
class Collector:
    """One generation of the garbage collector."""

    threshold: int
    count: int
    collections: int
    collected: int
    uncollectable: int


@dataclass(frozen=True, slots=True)
class Pause:
    """One collection: its generation, how long it took, how many objects it freed."""

    generation: int
    ns: int
    collected: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """Objects that hold each other and that nothing else holds.

    Attributes
    ----------
    objects, bytes : int
    types : tuple of TypeRow
        Without `retained`.
    ring : tuple of str
        One circle through it: each object, and by which name it holds the next; the
        first once more at its end.
    """

    objects: int
    bytes: int
    types: tuple[TypeRow, ...]
    ring: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Cycles(Result):
    """Garbage that waits for the collector, and what the collector has done.

    Attributes
    ----------
    enabled : bool
    frozen : int
        Objects in the permanent generation.
    uncollectable : int
        Length of ``gc.garbage``.
    collectors : tuple of Collector
        By generation.
    garbage : tuple of (int, int)
        Objects that nothing leads to, and their bytes.
    types : tuple of TypeRow
        Of the garbage, without `retained`.
    count : int
        Circles among the garbage.
    cycles : tuple of Cycle
        The largest of them.
    statement : str
        The statement that was run, empty for none.
    pauses : tuple of Pause
        The collections during it.
    wall_ns : int
        How long it ran.
    """

    kind: ClassVar[str] = "graphs.cycles"

    enabled: bool
    frozen: int
    uncollectable: int
    collectors: tuple[Collector, ...]
    garbage: tuple[int, int]
    types: tuple[TypeRow, ...]
    count: int
    cycles: tuple[Cycle, ...]
    statement: str
    pauses: tuple[Pause, ...]
    wall_ns: int

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each pause if there are any, else for each type of garbage."""
        if self.pauses:
            return [
                {"generation": it.generation, "ns": it.ns, "collected": it.collected}
                for it in self.pauses
            ]
        return [
            {"type": row.name, "count": row.count, "bytes": row.bytes}
            for row in self.types
        ]


@dataclass(frozen=True, slots=True, repr=False)
class Refcount(Result):
    """How many references an object has, and whose they are.

    Attributes
    ----------
    type, value : str
    total : int or None
        All of them; None for an immortal object, whose references are not counted.
    objects : tuple of (str, int)
        References held by other objects: how each is written, and how many there are.
    frames : tuple of (str, int)
        The same of running functions.
    outside : int
        The rest: held by C code, by the interpreter or by a running expression.
    """

    kind: ClassVar[str] = "graphs.refcount"

    type: str
    value: str
    total: int | None
    objects: tuple[tuple[str, int], ...]
    frames: tuple[tuple[str, int], ...]
    outside: int

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each kind of reference."""
        rows = [
            {"holder": name, "where": where, "references": number}
            for where, held in (("object", self.objects), ("frame", self.frames))
            for name, number in held
        ]
        return [*rows, {"holder": "", "where": "outside", "references": self.outside}]


@dataclass(frozen=True, slots=True)
class ClassMoment:
    """The instances of classes at one moment.

    Attributes
    ----------
    description : str
    seconds : float
        Since the tracker was made.
    rows : tuple of TypeRow
        In the order of `ClassHistory.classes`.
    """

    description: str
    seconds: float
    rows: tuple[TypeRow, ...]


@dataclass(frozen=True, slots=True, repr=False)
class ClassHistory(Result):
    """The instances of classes over time: how many, their bytes, what they retain."""

    kind: ClassVar[str] = "graphs.history"

    classes: tuple[str, ...]
    moments: tuple[ClassMoment, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each class at each moment."""
        return [
            {
                "description": moment.description,
                "seconds": moment.seconds,
                "class": row.name,
                "count": row.count,
                "bytes": row.bytes,
                "retained": row.retained,
            }
            for moment in self.moments
            for row in moment.rows
        ]
