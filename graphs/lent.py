"""Heaps and pictures with the memory that objects show and do not own.

A table of Arrow is a few hundred bytes of Python and millions elsewhere, which several
columns and slices share. Here each piece of such memory is an object, `Memory`, that those
who show it hold: so it is counted once, and is retained by whoever alone leads to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from .._core import DeviceMemory, Heap, Memory, shown_memory
from .buffers import Buffer, contents_of, special_types
from .labels import long_name

__all__ = ["SharedMemory", "take"]

# What has memory of its own in which others may show things.
_ARRAY = "numpy.ndarray"
_OWNERS = {_ARRAY, "bytearray", "array.array"}
_BYTES = {"bytes"}
# Address and bytes of memory, and its device, by the number of its object in a heap.
Piece = tuple[int, int, str]
Pieces = dict[int, Piece]


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
    dict of int to tuple of (int, int, str)
        Address, bytes and device of each piece of memory, by its number in the heap.

    Notes
    -----
    Where a heap has objects of such libraries it is taken again, after these were asked:
    that runs code of the library and makes a few objects.
    """
    packages = tuple(hidden)
    core = Heap(packages, names)
    lent = _lent(core, packages)
    if not lent:
        return core, {}
    core = Heap(packages, names, lent)
    pieces = {}
    for it in (it for held in lent.values() for it in held):
        if isinstance(it, Memory | DeviceMemory):
            number = core.find(it)
            if number is not None:
                pieces[number] = (it.address, it.size, it.device)
    return core, pieces


def _of_types(core: Heap, names: set[str]) -> bytes:
    """Give the set of the objects of some types."""
    classes, keys = core.classes(None, "type")
    wanted = bytes(core.type_names[key[0]] in names for key in keys)
    return core.select(None, classes, wanted)


def _special(core: Heap, hidden: tuple[str, ...]) -> list[Any]:
    """Give the objects of a heap whose contents somebody knows, and those that own."""
    names = {long_name(cls) for cls in _with_subclasses(special_types())}
    if names.isdisjoint(core.type_names):
        return []
    return core.alive(_of_types(core, names | _OWNERS), hidden)


def _with_subclasses(classes: Iterable[type]) -> set[type]:
    found: set[type] = set()
    todo = list(classes)
    while todo:
        cls = todo.pop()
        if cls not in found:
            found.add(cls)
            todo += type.__subclasses__(cls)
    return found


def _lent(core: Heap, hidden: tuple[str, ...]) -> dict[int, tuple[Any, ...]]:
    """Say what objects hold beside what they tell the collector, by their addresses."""
    objects = _special(core, hidden)
    special = special_types()
    held: dict[int, tuple[Any, ...]] = {}
    shown: list[tuple[int, int, int]] = []  # from, to, by whom
    on_devices: dict[Buffer, DeviceMemory] = {}
    for it in objects:
        if issubclass(type(it), special):
            contents = contents_of(it)
            mine = contents.objects
            for buffer in contents.buffers:
                if buffer.device:
                    mine += (on_devices.setdefault(buffer, _stand_in(buffer)),)
                elif buffer.size > 0:
                    shown.append((buffer.address, buffer.address + buffer.size, id(it)))
            if mine:
                held[id(it)] = mine
    if not shown:
        return held
    owners = _owners([*objects, *_bytes_around(core, shown, hidden)])
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
            mine = held.get(holder, ())
            if not any(it is piece for it in mine):
                held[holder] = (*mine, piece)
    return held


def _stand_in(buffer: Buffer) -> DeviceMemory:
    return DeviceMemory(buffer.address, buffer.size, buffer.device)


def _bytes_around(
    core: Heap, shown: list[tuple[int, int, int]], hidden: tuple[str, ...]
) -> list[Any]:
    """Give the bytes objects in which something that is shown begins."""
    found = core.around(_of_types(core, _BYTES), [start for start, _, _ in shown])
    return core.alive(found, hidden)


def _owners(objects: list[Any]) -> list[tuple[int, int, Any]]:
    """Give the objects that own their memory, and where that is, in order."""
    numpy = sys.modules.get("numpy")
    array = getattr(numpy, "ndarray", None)
    found = []
    for it in objects:
        if type(it) is array:
            if it.flags.owndata and it.nbytes:
                found.append((it.__array_interface__["data"][0], it.nbytes, it))
        elif type(it) in (bytes, bytearray) or long_name(type(it)) == "array.array":
            found.append((*shown_memory(it), it))
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
        self._known: dict[Buffer, Memory | DeviceMemory] = {}

    def of(self, it: object) -> list[Any]:
        """Give what an object holds beside what it tells the collector."""
        if not self._special or not issubclass(type(it), self._special):
            return []
        contents = contents_of(it)
        pieces = [
            self._known.setdefault(
                buffer,
                _stand_in(buffer)
                if buffer.device
                else Memory(buffer.address, buffer.size),
            )
            for buffer in contents.buffers
            if buffer.size > 0
        ]
        return [*contents.objects, *pieces]
