"""Snapshots of what is allocated and alive, with tracemalloc's interface.

The core adds up by place while memory is allocated, so that a snapshot costs what its
places cost and not what its blocks do.
"""

from __future__ import annotations

import fnmatch
import linecache
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from .._core import ALLOCATIONS_SITES, Allocations, leave_out_thread
from ..errors import ResultFileError
from ..graphs.labels import long_name
from ..kernel import LeftOut
from ..results import Result, load
from .result import Kind, Place, Site
from .sites import FRAMES, Sites

__all__ = [
    "Frame",
    "Snapshot",
    "Statistic",
    "StatisticDiff",
    "Traceback",
    "clear_traces",
    "get_object_traceback",
    "get_traceback_limit",
    "get_traced_memory",
    "is_tracing",
    "reset_peak",
    "snapshot",
    "start",
    "stop",
    "take_snapshot",
]

_KEYS = ("lineno", "filename", "traceback", "type")


@dataclass(frozen=True, slots=True)
class Frame:
    """A place, as tracemalloc has it."""

    filename: str
    lineno: int

    def __str__(self) -> str:
        return f"{self.filename}:{self.lineno}"


class Traceback(tuple[Frame, ...]):
    """Frames that lead to a place, the oldest first; the last one is the line itself."""

    __slots__ = ()

    @property
    def total_nframe(self) -> int | None:
        """How many there were before they were cut: nobody has counted."""
        return None

    def format(
        self, limit: int | None = None, most_recent_first: bool = False
    ) -> list[str]:
        """Give the lines of it as tracemalloc does.

        Parameters
        ----------
        limit : int, optional
            So many of the youngest frames; below 0, all but so many of them.
        most_recent_first : bool
            Turn the order round.
        """
        frames = self[:]
        if limit is not None:
            frames = frames[-limit:] if limit > 0 else frames[:limit]
        lines = []
        for frame in reversed(frames) if most_recent_first else frames:
            lines.append(f'  File "{frame.filename}", line {frame.lineno}')
            if text := linecache.getline(frame.filename, frame.lineno).strip():
                lines.append(f"    {text}")
        return lines


@dataclass(frozen=True, slots=True)
class Statistic:
    """What is alive by one key.

    Attributes
    ----------
    traceback : Traceback
        The oldest frame first, as tracemalloc has it. Empty by type.
    type : str
        By type, its name; else empty.
    size, count : int
        Bytes; blocks, or objects by type.
    """

    traceback: Traceback
    type: str
    size: int
    count: int

    def __str__(self) -> str:
        from ..views import units

        return (
            f"{self.type or (self.traceback[-1] if self.traceback else '?')}:"
            f" size={units.memory(self.size)}, count={self.count}{_average(self)}"
        )


@dataclass(frozen=True, slots=True)
class StatisticDiff:
    """The same, and how it differs from an earlier snapshot."""

    traceback: Traceback
    type: str
    size: int
    size_diff: int
    count: int
    count_diff: int

    def __str__(self) -> str:
        from ..views import units

        name = self.type or (self.traceback[-1] if self.traceback else "?")
        return (
            f"{name}: size={units.memory(self.size)} ({units.change(self.size_diff)}),"
            f" count={self.count} ({self.count_diff:+}){_average(self)}"
        )


def _average(of: Statistic | StatisticDiff) -> str:
    from ..views import units

    return f", average={units.memory(of.size / of.count)}" if of.count else ""


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot(Result):
    """What had been allocated since `start` and was alive, by place and by type.

    Attributes
    ----------
    places : tuple of Place
    sites : tuple of Site
    kinds : tuple of Kind
    """

    kind: ClassVar[str] = "memit.snapshot"

    places: tuple[Place, ...]
    sites: tuple[Site, ...]
    kinds: tuple[Kind, ...]

    @property
    def alive_bytes(self) -> int:
        """All that is alive."""
        return sum(site.alive_bytes for site in self.sites)

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line."""
        return [
            {
                "file": it.traceback[-1].filename,
                "line": it.traceback[-1].lineno,
                "bytes": it.size,
                "blocks": it.count,
            }
            for it in self.statistics("lineno")
        ]

    def dump(self, filename: str | os.PathLike[str]) -> None:
        """Write it to a file, as `save` does."""
        self.save(filename)

    @staticmethod
    def load(filename: str | os.PathLike[str]) -> Snapshot:
        """Read what `dump` or `save` wrote.

        Raises
        ------
        ResultFileError
            It is damaged, or something else.
        """
        found = load(filename)
        if not isinstance(found, Snapshot):
            raise ResultFileError(f"{os.fspath(filename)!a} is no snapshot")
        return found

    def statistics(self, key_type: str, cumulative: bool = False) -> list[Statistic]:
        """Add up what is alive, the largest first, as `tracemalloc.Snapshot` does.

        Parameters
        ----------
        key_type : {'lineno', 'filename', 'traceback', 'type'}
        cumulative : bool
            Count a block for every place on its way; by line and by file only.

        Raises
        ------
        ValueError
            For another key, or a cumulative one that makes no sense.
        """
        rows = self._rows(key_type, cumulative)
        found = [Statistic(*_named(key), *sums) for key, sums in rows.items()]
        return sorted(found, key=lambda it: (-it.size, -it.count, str(it)))

    def compare_to(
        self, old_snapshot: Snapshot, key_type: str, cumulative: bool = False
    ) -> list[StatisticDiff]:
        """Say what is more and what is less than in an earlier snapshot.

        The largest difference first, as `tracemalloc.Snapshot.compare_to` has it.
        """
        new = self._rows(key_type, cumulative)
        old = old_snapshot._rows(key_type, cumulative)
        found = []
        for key in {**old, **new}:
            (size, count), (size0, count0) = new.get(key, (0, 0)), old.get(key, (0, 0))
            found.append(
                StatisticDiff(*_named(key), size, size - size0, count, count - count0)
            )
        return sorted(found, key=lambda it: (-abs(it.size_diff), -it.size, str(it)))

    def filter_traces(self, filters: Iterable[Any]) -> Snapshot:
        """Give what filters of `tracemalloc.Filter`'s kind let through."""
        filters = list(filters)
        sites = tuple(site for site in self.sites if self._passes(site, filters))
        return Snapshot(self.places, sites, self.kinds)

    def _passes(self, site: Site, filters: list[Any]) -> bool:
        including = [it for it in filters if it.inclusive]
        excluding = [it for it in filters if not it.inclusive]
        return (
            not including or any(self._matches(site, it) for it in including)
        ) and not any(self._matches(site, it) for it in excluding)

    def _matches(self, site: Site, wanted: Any) -> bool:
        if not hasattr(wanted, "filename_pattern"):
            return bool(wanted.domain == 0)  # all is Python's, to tracemalloc
        numbers = site.places if wanted.all_frames else site.places[:1]
        return any(
            fnmatch.fnmatch(self.places[number].file, wanted.filename_pattern)
            and wanted.lineno in (None, self.places[number].line)
            for number in numbers
        )

    def _rows(self, key_type: str, cumulative: bool) -> dict[Any, tuple[int, int]]:
        if key_type not in _KEYS:
            raise ValueError(
                f"the key must be one of {', '.join(_KEYS)}, not {key_type!r}"
            )
        if cumulative and key_type in ("traceback", "type"):
            raise ValueError(f"cumulative is for lines and files, not for {key_type}")
        rows: dict[Any, tuple[int, int]] = {}
        if key_type == "type":
            for it in self.kinds:
                rows[it.type] = it.bytes, it.objects
            return rows
        for site in self.sites:
            if not site.alive_blocks:
                continue
            for key in self._keys(site, key_type, cumulative):
                size, count = rows.get(key, (0, 0))
                rows[key] = size + site.alive_bytes, count + site.alive_blocks
        return rows

    def _keys(self, site: Site, key_type: str, cumulative: bool) -> Iterator[Any]:
        places = [self.places[number] for number in site.places]
        if key_type == "traceback":
            yield tuple((it.file, it.line) for it in reversed(places))
            return
        chosen = places if cumulative else places[:1]
        keys = {(it.file, it.line if key_type == "lineno" else 0) for it in chosen}
        yield from ((key,) for key in keys or {("?", 0)})


def _named(key: Any) -> tuple[Traceback, str]:
    if isinstance(key, str):
        return Traceback(), key
    return Traceback(Frame(file, line) for file, line in key), ""


class Tracer:
    """Counts what is allocated by place, while it is entered."""

    def __init__(self, frames: int = FRAMES, *, native: bool = False) -> None:
        self.frames, self.native = frames, native
        self._counted = Allocations(ALLOCATIONS_SITES, frames=frames, native=native)
        self._left_out = LeftOut()

    def __enter__(self) -> Self:
        self._left_out.begin()
        self._counted.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._counted.stop()
        self._left_out.end()

    def snapshot(self, *, types: bool = True) -> Snapshot:
        """Give what was allocated since and is alive."""
        # What a snapshot is made of is in none, nor in the next one. Not by `unseen`,
        # which would be in it itself.
        leave_out_thread()
        try:
            kinds = _kinds(self._counted) if types else ()
            sites = Sites.of(self._counted)
            return Snapshot(sites.places, sites.sites, kinds)
        finally:
            leave_out_thread(False)

    def traceback(self, obj: object) -> Traceback | None:
        """Give where an object was allocated; None when it was before."""
        way = self._counted.place(obj)
        if way is None:
            return None
        return Traceback(Frame(file, line) for file, line, _ in reversed(way))

    @property
    def traced_memory(self) -> tuple[int, int]:
        """What is alive now, and the most at once: bytes."""
        return self._counted.current_bytes, self._counted.peak_bytes

    def reset_peak(self) -> None:
        """Let the most at once begin with what is alive now."""
        self._counted.reset_peak()


_tracing: list[Tracer] = []


def start(nframe: int = FRAMES, *, native: bool = False) -> None:
    """Begin to count what is allocated, by place; again does nothing.

    Parameters
    ----------
    nframe : int
        Frames of each place.
    native : bool
        Count what libraries allocate by themselves too.
    """
    if not _tracing:
        _tracing.append(Tracer(nframe, native=native).__enter__())


def stop() -> None:
    """End the counting, and forget it."""
    while _tracing:
        _tracing.pop().__exit__()


def is_tracing() -> bool:
    """Whether `start` was called, and not `stop`."""
    return bool(_tracing)


def clear_traces() -> None:
    """Forget what was counted until now, and go on."""
    if _tracing:
        before = _tracing[0]
        stop()
        start(before.frames, native=before.native)


def get_traceback_limit() -> int:
    """Give how many frames of a place are kept, at the most."""
    return _tracing[0].frames if _tracing else FRAMES


def get_traced_memory() -> tuple[int, int]:
    """Give what was allocated since `start` and is alive, and the most of it at once.

    Bytes; ``(0, 0)`` when nothing is counted, as `tracemalloc.get_traced_memory` says.
    """
    return _tracing[0].traced_memory if _tracing else (0, 0)


def reset_peak() -> None:
    """Let the peak of `get_traced_memory` begin with what is alive now."""
    if _tracing:
        _tracing[0].reset_peak()


def get_object_traceback(obj: object) -> Traceback | None:
    """Say where an object was allocated, as `tracemalloc.get_object_traceback` does.

    None when nothing is counted, and for what was there before `start`.

    Examples
    --------
    >>> start()
    >>> data = bytes(1000)
    >>> get_object_traceback(data) is not None
    True
    >>> stop()
    """
    return _tracing[0].traceback(obj) if _tracing else None


def snapshot(*, types: bool = True) -> Snapshot:
    """Take a snapshot of what was allocated since `start` and is alive.

    Without a `start` before, this one begins to count, and the snapshot is empty.

    Parameters
    ----------
    types : bool
        Look through the heap for the types of the objects too.

    Examples
    --------
    >>> before = snapshot()
    >>> data = [bytes(1000) for _ in range(100)]
    >>> top = snapshot().compare_to(before, "lineno")[0]
    >>> top.size_diff > 100_000
    True
    >>> stop()
    """
    start()
    return _tracing[0].snapshot(types=types)


def take_snapshot() -> Snapshot:
    """Take a snapshot, as `tracemalloc.take_snapshot` does.

    Raises
    ------
    RuntimeError
        Nothing is counted: `start` comes first.

    See Also
    --------
    snapshot : begins to count where nothing does.
    """
    if not _tracing:
        raise RuntimeError("nothing is counted: nbprobe.memit.start() comes first")
    return snapshot()


def _kinds(counted: Allocations) -> tuple[Kind, ...]:
    return tuple(
        Kind(long_name(cls).removeprefix("builtins."), objects, bytes_)
        for cls, objects, bytes_ in counted.types()
        if objects
    )
