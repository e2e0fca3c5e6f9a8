"""Deep sizes of objects, with pympler's functions and arguments, added up in C.

``from nbprobe.graphs import asizeof`` takes the place of ``from pympler.asizeof import
asizeof``. The values are pympler's for numbers, text, lists, tuples, sets and dictionaries.
They differ where pympler's are not the memory's: views of arrays, arrays of objects, the
items of a deque, attributes that have no dictionary, tables of Arrow; and what a weak
reference refers to is not counted, because it is not held.
"""

from __future__ import annotations

import gc
import types
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .._core import DeepSize, reference_names
from .buffers import Buffer, contents_of, special_types
from .labels import held_by, written

__all__ = ["Asized", "Sizes", "asized", "asizeof", "asizesof", "flatsize", "sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of some objects, with what they lead to.

    Attributes
    ----------
    each : tuple of int
        Of each object, what an earlier one leads to left out.
    devices : dict of str to int
        Memory of devices, by their names; it is in no other figure.
    """

    each: tuple[int, ...]
    devices: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of all of them in main memory."""
        return sum(self.each)


@dataclass(frozen=True, slots=True)
class Asized:
    """The size of an object, and of what it holds.

    Attributes
    ----------
    size : int
        Bytes, with all that it leads to.
    flat : int
        Bytes of the object itself.
    name : str
    refs : tuple of Asized
        Of what it holds, as far as `detail` asked; 0 bytes for what was counted before.
    """

    size: int
    flat: int
    refs: tuple[Asized, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        return (
            f"size {self.size}, flat {self.flat}, refs[{len(self.refs)}],"
            f" name {self.name!r}"
        )

    def format(
        self,
        format: str = "%(name)s size=%(size)d flat=%(flat)d",
        depth: int = -1,
        order_by: str = "size",
        indent: str = "",
    ) -> str:
        """Give the sizes as indented lines.

        Parameters
        ----------
        format : str
            Of a line, with ``name``, ``size`` and ``flat``.
        depth : int
            How deep to go; -1 for all.
        order_by : {'size', 'flat', 'name'}
            The largest first, or by name.
        indent : str
            Stands before each line.
        """
        values = {"name": self.name, "size": self.size, "flat": self.flat}
        lines = [indent + format % values]
        if depth:
            largest = order_by in ("size", "flat")
            refs = sorted(
                self.refs, key=lambda it: getattr(it, order_by), reverse=largest
            )
            lines += [
                it.format(format, depth - 1, order_by, indent + "    ") for it in refs
            ]
        return "\n".join(lines)

    def get(self, name: str, dflt: Asized | None = None) -> Asized | None:
        """Give what is held by a name, or `dflt`."""
        return next((it for it in self.refs if it.name == name), dflt)


class _Memory:
    """Memory that is known already, as pieces that do not overlap."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Where each piece begins and ends, in order."""
        return list(zip(self.starts, self.ends, strict=True))

    def add(self, start: int, end: int) -> int:
        """Give how many bytes of a piece were not known; they are from now on."""
        first = bisect_left(self.ends, start)
        last = bisect_right(self.starts, end)
        known = 0
        for left, right in zip(
            self.starts[first:last], self.ends[first:last], strict=True
        ):
            known += max(0, min(right, end) - max(left, start))
        if first < last:
            piece = min(start, self.starts[first]), max(end, self.ends[last - 1])
        else:
            piece = start, end
        self.starts[first:last] = [piece[0]]
        self.ends[first:last] = [piece[1]]
        return end - start - known


class Sizer:
    """One question: what has been counted until now."""

    def __init__(
        self,
        *,
        above: int = 0,
        align: int = 8,
        clip: int = 80,
        code: bool = False,
        cutoff: int = 10,
        derive: bool = False,
        frames: bool = False,
        ignored: bool = True,
        infer: bool = False,
        limit: int | None = None,
        stats: float = 0,
        exclude: Iterable[type] = (),
    ) -> None:
        # Types are known by what they are: there is nothing to derive or to infer, and
        # the others are about statistics.
        del above, clip, cutoff, derive, infer
        if stats:
            raise ValueError("stats are not printed here: see asized(detail=1), %heap")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, and is {limit}")
        self.search = DeepSize(
            align=align,
            limit=-1 if limit is None else limit,
            code=code or not ignored,
            frames=frames,
            excluded=tuple(exclude),
            special=special_types(),
        )
        self.memory: dict[str, _Memory] = {}
        self.devices: dict[str, int] = {}
        self.twice = 0  # bytes of objects that are in `memory` too

    def add(self, value: object) -> int:
        """Count an object, and what it leads to that has not been counted."""
        return self.search.add(value) + self.borrowed()

    def flat(self, value: object) -> int:
        """Count an object alone."""
        return self.search.flat(value) + self.borrowed()

    def borrowed(self) -> int:
        """Count the memory behind the special objects that were met.

        What of it belongs to objects that were counted as well is taken off again: a
        table that was read from `bytes` shows their memory.
        """
        size = 0
        while met := self.search.found():
            for value in met:
                contents = contents_of(value)
                size += sum(map(self._take, contents.buffers))
                size += sum(map(self.search.add, contents.objects))
        if (memory := self.memory.get("")) is not None:
            known, self.twice = self.twice, self.search.overlap(memory.pieces)
            size += known - self.twice
        return size

    def _take(self, buffer: Buffer) -> int:
        memory = self.memory.setdefault(buffer.device, _Memory())
        size = memory.add(buffer.address, buffer.address + buffer.size)
        if buffer.device:
            self.devices[buffer.device] = self.devices.get(buffer.device, 0) + size
            return 0
        return size

    def asized(self, value: object, detail: int, name: str) -> Asized:
        """Give the sizes of an object and of what it holds, `detail` levels deep."""
        if detail <= 0:
            flat = flatsize(value, 8)
            size = self.add(value)
            return Asized(size, flat if size else 0, (), name)
        flat = self.flat(value)
        held = held_by(value) if flat else []
        if flat and issubclass(type(value), dict):
            held += dict.keys(value)  # type: ignore[arg-type]
        refs = [
            self.asized(it, detail - 1, _name(value, it))
            for it in {id(it): it for it in held}.values()
            if not issubclass(type(it), type | types.ModuleType)
        ]
        return Asized(flat + sum(ref.size for ref in refs), flat, tuple(refs), name)


def _name(holder: object, held: object) -> str:
    """Name a reference as pympler does."""
    for way, key in reference_names(holder, held):
        if way in ("attribute", "variable"):
            return str(key)
        if way == "value":
            return f"[V] {_key(key)}: {written(held)}"
        if way == "key":
            return f"[K] {_key(held)}"
    return written(held)


def _key(key: object) -> str:
    return key if type(key) is str else written(key)


def sizes(*objs: object, **opts: Any) -> Sizes:
    """Give how large objects are with all that they lead to, devices apart.

    Parameters
    ----------
    *objs : object
    **opts
        As for `asizeof`.

    Returns
    -------
    Sizes
        Main memory of each, and the memory of devices.
    """
    sizer = Sizer(**opts)
    sizer.search.skip(objs)
    return Sizes(tuple(map(sizer.add, objs)), sizer.devices)


def asizeof(*objs: object, all: bool = False, **opts: Any) -> int:
    """Give how large objects are together with all that they lead to.

    Parameters
    ----------
    *objs : object
        An object that several of them lead to counts once.
    all : bool
        Without objects: all that the garbage collector tracks.
    align : int
        Sizes are rounded up to a multiple of it, a power of 2 [default 8].
    code : bool
        Count classes, functions and their code too, to which everything leads.
    frames : bool
        Count frames too.
    ignored : bool
        Leave out what is code; false is as `code`.
    limit : int, optional
        How many references to follow; all by default, where pympler gives up at 100.
    exclude : iterable of type
        Instances of these are left out, and what only they lead to.
    above, clip, cutoff, derive, infer
        Taken for pympler's sake; there is nothing for them to do.

    Returns
    -------
    int
        Bytes in main memory. Memory that several arrays or columns show counts once.

    See Also
    --------
    asizesof : of each object.
    asized : with what it holds.
    sizes : with the memory of devices.

    Examples
    --------
    >>> asizeof([]) == sys.getsizeof([])
    True
    """
    if all and not objs:
        objs = tuple(gc.get_objects())
    return sizes(*objs, **opts).total


def asizesof(*objs: object, **opts: Any) -> tuple[int, ...]:
    """Give how large each of some objects is; what one leads to is not in a later one.

    The arguments are those of `asizeof`. None of them is in the size of another.
    """
    each = sizes(*objs, **opts).each
    # The first of an object that is given twice has the size, and pympler repeats it.
    firsts: dict[int, int] = {}
    return tuple(
        firsts.setdefault(id(it), size) for it, size in zip(objs, each, strict=True)
    )


def asized(*objs: object, detail: int = 0, **opts: Any) -> Asized | tuple[Asized, ...]:
    """Give the sizes of objects and of what they hold.

    Parameters
    ----------
    *objs : object
    detail : int
        How many levels of what they hold to give.
    **opts
        As for `asizeof`.

    Returns
    -------
    Asized or tuple of Asized
        One for one object.
    """
    sizer = Sizer(**opts)
    sizer.search.skip(objs)
    found = tuple(sizer.asized(it, detail, written(it)) for it in objs)
    return found[0] if len(found) == 1 else found


def flatsize(obj: object, align: int = 0, **opts: Any) -> int:
    """Give how large an object itself is, attributes without a dictionary included.

    Parameters
    ----------
    obj : object
    align : int
        A power of 2 to round up to a multiple of; not at all below 2.
    **opts
        Taken for pympler's sake.
    """
    return DeepSize(align=align, code=True, frames=True).flat(obj)
