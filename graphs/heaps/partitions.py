"""Sets of a heap's objects in parts: by what they are, or by what holds them."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ...views import units
from .holders import way_to
from .stat import Stat, StatRow

if TYPE_CHECKING:
    from .sets import ObjectSet

__all__ = ["By", "Partition", "Row"]

By = Literal[
    "type",
    "kind",
    "size",
    "holders",
    "module",
    "via",
    "producer",
    "identity",
    "unity",
]

# So many objects are rows of their own by identity; the rest are one.
_ALONE = 1000
_OTHERS = "all others"


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
    "via": "Referred Via:",
    "producer": "Producer (line of allocation)",
    "identity": "Address and path",
    "unity": "All",
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
        if what == "producer":
            self._classes, names = _producers(whole)
        elif what == "identity":
            self._classes, names = _identities(whole)
        else:
            by = {"module": "type", "via": "name", "unity": "type"}.get(what, what)
            self._classes, keys = core.classes(whole.content, by)
            names = [self._name(key) for key in keys]
        merged: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            merged.setdefault(name, []).append(number)
        tally = core.tally(whole.content, self._classes, len(names))
        self._length = len(names)
        self.rows = [
            Row(
                name,
                tuple(numbers),
                sum(tally[number][0] for number in numbers),
                sum(tally[number][1] for number in numbers),
            )
            for name, numbers in merged.items()
        ]
        self.rows = [row for row in self.rows if row.count]
        self.rows.sort(
            key=lambda row: (row.key == _OTHERS, -row.size, -row.count, row.key)
        )

    def _name(self, key: tuple[int, ...]) -> str:
        types = self.whole.graph.core.type_names
        if self.what == "unity":
            return "*"
        if self.what == "via":
            names = map(self.whole.graph.core.name_of, key)
            return ", ".join(repr(name) for name in names if name) or "<Nothing>"
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
        found = graph._set(graph.core.select(content, self._classes, bytes(wanted)))
        # An object by itself is shown with its address and the way to it.
        return found.byid if self.what == "identity" else found

    def __getitem__(self, index: int | slice) -> ObjectSet:
        rows = self.rows[index]
        return self._select(rows if isinstance(rows, list) else [rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ObjectSet]:
        return (self[index] for index in range(len(self.rows)))

    @property
    def stat(self) -> Stat:
        """The figures of the table, without the objects."""
        rows = (StatRow(row.count, row.size, row.key) for row in self.rows)
        return Stat(rows, _TITLES[self.what])

    def table(self, limit: int | None = 10, start: int = 0) -> str:
        """Give the table of some parts, in guppy's form.

        Parameters
        ----------
        limit : int, optional
            How many; None for all.
        start : int
            The number of the first.
        """
        return self.stat.table(limit, start)

    def __str__(self) -> str:
        return units.for_stdout(self.table())

    __repr__ = __str__


def _producers(whole: ObjectSet) -> tuple[bytes, list[str]]:
    """Class objects by the line that made them, as far as tracemalloc saw it."""
    core = whole.graph.core
    names = ["unknown"]
    lines: dict[tuple[str, int], int] = {}
    classes = array("I", bytes(4 * whole.graph.objects))
    for it in whole.live() if tracemalloc.is_tracing() else ():
        trace = tracemalloc.get_object_traceback(it)
        number = core.find(it)
        if trace and number is not None:
            place = trace[-1].filename, trace[-1].lineno
            if place not in lines:
                lines[place] = len(names)
                names.append(f"{place[0]}:{place[1]}")
            classes[number] = lines[place]
    return classes.tobytes(), names


def _identities(whole: ObjectSet) -> tuple[bytes, list[str]]:
    """Class the largest objects each by itself."""
    core = whole.graph.core
    names = [_OTHERS]
    classes = array("I", bytes(4 * whole.graph.objects))
    for number, _ in core.largest(whole.content, False, _ALONE) if whole else ():
        classes[number] = len(names)
        names.append(f"{core.node(number)[0]:#x} {way_to(core, number).expression}")
    return classes.tobytes(), names
