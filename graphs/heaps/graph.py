"""A heap as figures: taken now or read from a file, marked, compared, saved."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Sequence
from typing import Any

from ..._core import Heap, Mark
from ...errors import ResultFileError
from ...results import replacing
from ...views import units
from ..lent import Pieces, take
from .result import HeapSummary
from .sets import ObjectSet

__all__ = ["HeapGraph", "HeapMark", "heap", "load_heap"]

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

# What looks at heaps; what else this package has may hold the user's objects.
_OURS = re.compile(r"nbprobe\.(graphs\.(heaps|tracker)\.|_core\.(Heap|Mark)$)")


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
    memory : dict of int to tuple of (int, int, str)
        Address, bytes and device of the memory that objects show and do not own, by its
        number in the heap; the device is empty for main memory.
    """

    def __init__(
        self,
        core: Heap,
        about: dict[str, Any],
        source: str,
        memory: Pieces | None = None,
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

    @property
    def devices(self) -> dict[str, int]:
        """Bytes of the memory of each device, which are in no size of an object."""
        if self.source:
            kept = self.about.get("devices")
            return {
                name: size
                for name, size in (kept.items() if isinstance(kept, dict) else ())
                if isinstance(size, int) and size >= 0
            }
        return self.devices_of((1 << self.core.objects) - 1)

    def devices_of(self, bits: int) -> dict[str, int]:
        """Give the bytes of the memory of each device that is in a set."""
        found: dict[str, int] = {}
        for number, (_, size, device) in self.memory.items():
            if device and bits >> number & 1:
                found[device] = found.get(device, 0) + size
        return found

    def type(self, name: str) -> ObjectSet:
        """Give the objects of a type, by its name with or without its module."""
        by_type = self.all.by("type")
        return by_type.where(lambda key: key == name or key.endswith("." + name))

    def at(self, address: int) -> list[int]:
        """Give the number of the object at an address, as a list of one or none."""
        number = self.core.find_address(address)
        return [] if number is None else [number]

    def at_address(self, address: int) -> ObjectSet:
        """Give the object at an address, as a set of one or none."""
        return self._set(self.core.set_of(self.at(address)))

    @property
    def ours(self) -> ObjectSet:
        """What heaps, sets and marks of this module consist of: no one's data."""
        made = self.all.by("type").where(_OURS.match)
        return made | made.dominos if made else made

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
            devices = {"devices": self.devices} if self.devices else {}
            self.core.write(file.fileno(), json.dumps({**self.about, **devices}))

    def _set(self, content: bytes) -> ObjectSet:
        return ObjectSet(self, int.from_bytes(content, "little"))

    def __repr__(self) -> str:
        where = f" from {self.source!r}" if self.source else ""
        return (
            f"<HeapGraph : {units.plural(self.objects, 'object')},"
            f" {units.plural(self.references, 'reference')}{where}>"
        )
