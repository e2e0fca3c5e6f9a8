"""Where memory was allocated: the core's table as places and ways that lead to them."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from functools import cache

from .._core import Allocations
from ..source import is_users_file
from .result import Place, Site

__all__ = ["FRAMES", "Sites"]

#: Frames of each way: those of libraries and of the user's code below our own.
FRAMES = 32

# A result keeps so many sites; the smallest of the others are added up.
_MOST = 3_000

# Our own frames, which call the user's code.
_ABOVE = frozenset(
    os.path.join(os.path.dirname(os.path.dirname(__file__)), *parts)
    for parts in (
        ("memit", "engine.py"),
        ("memit", "growth.py"),
        ("awaiting.py",),
    )
)

# What reads the table allocates too, and calls others that do, as what shows it does.
_READING = frozenset(
    os.path.join(os.path.dirname(__file__), name)
    for name in ("sites.py", "snapshots.py", "leaks.py", "magic.py")
)

_Key = tuple[tuple[str, int, str], ...]


class Sites:
    """The sites of one measurement.

    Attributes
    ----------
    places : tuple of Place
    sites : tuple of Site
        What allocated most first.
    """

    def __init__(self, places: tuple[Place, ...], sites: tuple[Site, ...]) -> None:
        self.places = places
        self.sites = sites

    @classmethod
    def of(cls, counted: Allocations) -> Sites:
        """Read what was counted by place."""
        numbers: dict[tuple[str, int, str], int] = {}
        rows: dict[_Key, tuple[int, ...]] = {}
        for way, figures in counted.table("traceback").items():
            users = tuple(_without_ours(way))
            # Where a library has released the GIL there are no frames.
            if (way and not users) or any(frame[0] in _READING for frame in users):
                continue
            earlier = rows.get(users)
            if earlier is not None:
                figures = tuple(map(sum, zip(earlier, figures, strict=True)))  # type: ignore[assignment]
            rows[users] = figures
        ordered = sorted(rows.items(), key=lambda row: -row[1][0])
        sites = [
            _site(tuple(numbers.setdefault(frame, len(numbers)) for frame in way), row)
            for way, row in ordered[:_MOST]
        ]
        if len(ordered) > _MOST:
            rest = [row for _, row in ordered[_MOST:]]
            total = tuple(map(sum, zip(*rest, strict=True)))
            sites.append(_site((), total))
        return cls(tuple(map(_place, numbers)), tuple(sites))


def _without_ours(way: _Key) -> Iterator[tuple[str, int, str]]:
    """Give the frames from the innermost to the last one before ours."""
    for frame in way:
        if frame[0] in _ABOVE:
            return
        yield frame


def _site(places: tuple[int, ...], figures: tuple[int, ...]) -> Site:
    allocated, allocations, peak, peaks, temporary, temporaries, alive, alives = figures
    return Site(
        places=places,
        allocated_bytes=allocated,
        allocations=allocations,
        peak_bytes=peak,
        peak_blocks=peaks,
        temporary_bytes=temporary,
        temporary_blocks=temporaries,
        alive_bytes=alive,
        alive_blocks=alives,
    )


def _place(frame: tuple[str, int, str]) -> Place:
    file, line, function = frame
    text = linecache.getline(file, line).strip() if line > 0 else ""
    return Place(file, line, function, text, _is_users(file))


@cache
def _is_users(file: str) -> bool:
    return is_users_file(file)
