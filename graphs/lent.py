"""Heaps and pictures with the memory that objects show and do not own.

A table of Arrow is a few hundred bytes of Python and millions elsewhere, which several
columns and slices share. Here each piece of such memory is an object, `Memory`, that those
who show it hold: so it is counted once, and is retained by whoever alone leads to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from .._core import Heap, Memory
from .buffers import Buffer, contents_of, special_types
from .labels import long_name

__all__ = ["SharedMemory", "take"]

_ARRAY = "numpy.ndarray"
# Address and bytes of memory, by the number of its object in a heap.
Pieces = dict[int, tuple[int, int]]


def take(hidden: Sequence[str], names: bool = False) -> tuple[Heap, Pieces]:
    """Take the heap, with the memory that objects of known libraries show.

    Parameters
    ----------
    hidden : sequence of str
        Packages whose running functions hold nothing.
    names : bool
        With the names of references.

    Returns
    -------
    Heap
    dict of int to tuple of (int, int)
        Address and bytes of each piece of memory, by its number in the heap.

    Notes
    -----
    Where a heap has objects of such libraries it is taken again, after these were asked:
    that runs code of the library and makes a few objects.
    """
    packages = tuple(hidden)
    core = Heap(packages, names)
    lent = _lent(_special(core, packages))
    if not lent:
        return core, {}
    core = Heap(packages, names, lent)
    pieces = {}
    for it in (it for held in lent.values() for it in held):
        number = core.find(it) if type(it) is Memory else None
        if number is not None:
            pieces[number] = (it.address, it.size)
    return core, pieces


def _special(core: Heap, hidden: tuple[str, ...]) -> list[Any]:
    """Give the objects of a heap whose contents somebody knows, and arrays with them."""
    names = {long_name(cls) for cls in _with_subclasses(special_types())}
    if names.isdisjoint(core.type_names):
        return []
    classes, keys = core.classes(None, "type")
    names.add(_ARRAY)
    wanted = bytes(core.type_names[key[0]] in names for key in keys)
    return core.alive(core.select(None, classes, wanted), hidden)


def _with_subclasses(classes: Iterable[type]) -> set[type]:
    found: set[type] = set()
    todo = list(classes)
    while todo:
        cls = todo.pop()
        if cls not in found:
            found.add(cls)
            todo += type.__subclasses__(cls)
    return found


def _lent(objects: list[Any]) -> dict[int, tuple[Any, ...]]:
    """Say what objects hold beside what they tell the collector, by their addresses."""
    special = special_types()
    held: dict[int, tuple[Any, ...]] = {}
    shown: list[tuple[int, int, int]] = []  # from, to, by whom
    for it in objects:
        if issubclass(type(it), special):
            contents = contents_of(it)
            if contents.objects:
                held[id(it)] = contents.objects
            shown += [
                (buffer.address, buffer.address + buffer.size, id(it))
                for buffer in contents.buffers
                if buffer.size > 0 and not buffer.device
            ]
    owners = _owners(objects) if shown else []
    shown.sort()
    at = 0
    while at < len(shown):
        start, end, _ = shown[at]
        first = at
        # What overlaps is one piece, however it is sliced.
        while at < len(shown) and shown[at][0] < end:
            end = max(end, shown[at][1])
            at += 1
        owner = _owner_of(start, owners)
        piece = Memory(start, end - start) if owner is None else owner
        for holder in {by for _, _, by in shown[first:at]}:
            held[holder] = (*held.get(holder, ()), piece)
    return held


def _owners(objects: list[Any]) -> list[tuple[int, int, Any]]:
    """Give the arrays that own their memory, and where that is, in order."""
    numpy = sys.modules.get("numpy")
    array = getattr(numpy, "ndarray", None)
    found = [
        (it.__array_interface__["data"][0], it.nbytes, it)
        for it in objects
        if type(it) is array and it.flags.owndata and it.nbytes
    ]
    found.sort(key=lambda row: row[0])
    return found


def _owner_of(address: int, owners: list[tuple[int, int, Any]]) -> Any:
    """Give the array in whose memory an address is; None for none."""
    low, high = 0, len(owners)
    while low < high:
        middle = (low + high) // 2
        if owners[middle][0] <= address:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return None
    start, size, array = owners[low - 1]
    return array if address < start + size else None


class SharedMemory:
    """The memory behind the objects of one picture, one object for each piece."""

    def __init__(self) -> None:
        self._special = special_types()
        self._known: dict[Buffer, Memory] = {}

    def of(self, it: object) -> list[Any]:
        """Give what an object holds beside what it tells the collector."""
        if not self._special or not issubclass(type(it), self._special):
            return []
        contents = contents_of(it)
        pieces = [
            self._known.setdefault(buffer, Memory(buffer.address, buffer.size))
            for buffer in contents.buffers
            if buffer.size > 0
        ]
        return [*contents.objects, *pieces]
