"""Results about memory made by hand, ordinary and hostile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbprobe.memit.growth import Growth, LineGrowth
from nbprobe.memit.lines import FunctionMemory, LineMemory, MemoryLine
from nbprobe.memit.recording import Course, Recording, Span
from nbprobe.memit.result import (
    Change,
    Kind,
    MemoryResult,
    Place,
    Run,
    Site,
    Survivor,
)
from nbprobe.memit.snapshots import Snapshot
from nbprobe.results import Result

from .gallery import HOSTILE

BEGIN_S = 1_795_273_000.0


def course(pid: int, base: float, number: int = 120) -> Course:
    """Make memory that rises, peaks and falls."""
    mib = tuple(
        base + 40.0 * min(index, 60) / 60 + (150.0 if 70 <= index < 75 else 0.0)
        for index in range(number)
    )
    return Course(pid, mib, tuple(BEGIN_S + index / 10 for index in range(number)))


def recording() -> Recording:
    """Make a recording of a script with three functions and two children."""
    at = BEGIN_S
    return Recording(
        "python train.py --epochs 3",
        course(0, 20.0),
        (
            Span("__main__.main", 20.0, at + 0.1, 60.0, at + 11.8, 0),
            Span("__main__.load", 22.0, at + 0.4, 60.0, at + 6.2, 1),
            Span("__main__.step", 60.0, at + 6.5, 60.0, at + 7.4, 1),
            Span("__main__.step", 60.0, at + 7.5, 60.0, at + 8.4, 1),
        ),
        (course(4711, 5.0, 60), course(4712, 7.0, 80)),
    )


def hostile_recording() -> Recording:
    """Make a recording in which every name is hostile and figures are extreme."""
    wild = (1.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 3.0)
    times = tuple(float(index) for index in range(len(wild)))
    spans = [
        Span(name, 1.0, 1.0, 2.0, 3.0, level * 1000)
        for level, name in enumerate(HOSTILE.values())
    ]
    spans.append(Span("nan", math.nan, math.inf, -math.inf, 1e308, 0))
    main = Course(0, (1.0, 2.0, 3.0), (0.0, 1.0, 2.0))
    return Recording(
        "\n".join(HOSTILE.values()), main, tuple(spans), (Course(-1, wild, times),)
    )


def many_spans() -> Recording:
    """Make a recording with more of everything than a view can hold."""
    spans = tuple(
        Span(f"m.f{index % 500}", 20.0, BEGIN_S + index / 1e3, 21.0, BEGIN_S + 9.0, 0)
        for index in range(1_000)
    )
    children = tuple(course(index, 1.0, 20) for index in range(300))
    return Recording("x" * 10_000, course(0, 20.0, 4_000), spans, children)


MIB = 2**20

RUN = Run(
    start_rss=120 * MIB,
    peak_rss=322 * MIB,
    end_rss=168 * MIB,
    allocated_bytes=251 * MIB + 77,
    allocations=1_234,
    freed_bytes=203 * MIB,
    frees=1_200,
    peak_allocated=201 * MIB,
    native_bytes=0,
    native_allocations=0,
    wall_ns=84_000_000,
    collections=2,
)

PLACES = (
    Place("/home/u/work/clean.py", 12, "clean", "frame = frame.copy()", True),
    Place(
        "/home/u/work/clean.py", 15, "clean", "frame['a'] = frame.a.str.lower()", True
    ),
    Place("/tmp/ipykernel_1/3141.py", 1, "<module>", "tidy = clean(frame)", True),
    Place(
        "/usr/lib/python3.13/site-packages/pandas/core/frame.py",
        4_321,
        "copy",
        "",
        False,
    ),
)


def site(places: tuple[int, ...], mib: float, alive: float = 0.0) -> Site:
    """Make a site of so many MiB in all and alive."""
    size, kept = int(mib * MIB), int(alive * MIB)
    return Site(places, size, 600, size // 2, 300, size // 4, 1, kept, 17)


def measured(**changes: Any) -> MemoryResult:
    """Make a result of the ordinary kind, with some fields changed."""
    fields: dict[str, Any] = {
        "statement": "tidy = clean(frame)",
        "setup": "",
        "label": "",
        "runs": (RUN,),
        "samples": tuple(
            (
                index * 1_000_000,
                (120 + min(index, 40) * 5 - max(0, index - 60) * 7) * MIB,
            )
            for index in range(84)
        ),
        "places": PLACES,
        "sites": (
            site((3, 0, 2), 150.0),
            site((1, 2), 100.0, 48.0),
            site((2,), 1.0),
        ),
        "kept": (Kind("pandas.core.frame.DataFrame", 1, 48 * MIB), Kind("str", 9, 512)),
        "survivors": (),
        "native": False,
        "include_children": False,
        "resident_how": "the kernel's high-water mark",
        "exact": True,
        "notes": (),
        "repeat": 1,
        "timeout": 0.0,
        "interval": 0.1,
        "interrupted": False,
        "python": "3.13.0",
        "created": "2026-11-21T11:00:00+00:00",
    }
    return MemoryResult(**(fields | changes))


def leaking() -> MemoryResult:
    """Make a result of ``--leaks``."""
    survivors = (
        Survivor("list", 2, ("cache[3]  variable of this notebook",), ("del cache",)),
        Survivor("dict", 10, (), ()),
    )
    return measured(runs=(RUN, RUN), survivors=survivors)


def hostile_measured() -> MemoryResult:
    """Make a result in which every name is hostile and figures are extreme."""
    names = list(HOSTILE.values())
    huge = 2**62
    places = tuple(Place(name, 2**31, name, name, True) for name in names)
    sites = tuple(
        Site((index,), huge, huge, huge, huge, huge, huge, huge, huge)
        for index in range(len(names))
    )
    survivors = tuple(Survivor(name, 1, (name,), (name,)) for name in names)
    return measured(
        statement="\n".join(names),
        setup=names[0],
        runs=(replace(RUN, allocated_bytes=0, wall_ns=0, peak_rss=huge),),
        samples=((0, huge), (1, 0)) * 20,
        places=places,
        sites=sites,
        kept=tuple(Kind(name, huge, huge) for name in names),
        survivors=survivors,
        notes=tuple(names),
        resident_how=names[1],
        exact=False,
        python=names[2],
        created=names[3],
        interrupted=True,
    )


def many_measured() -> MemoryResult:
    """Make a result with more of everything than a view can hold."""
    number = 400
    places = tuple(
        Place(f"f{i}.py", i, f"f{i}", "x = " * 99, True) for i in range(number)
    )
    sites = tuple(
        site(tuple(range(index, max(-1, index - 100), -1)), 1.0, 0.5)
        for index in range(number)
    )
    return measured(
        places=places,
        sites=sites,
        runs=(RUN,) * 500,
        kept=tuple(Kind(f"t{index}", 1, 1) for index in range(number)),
        native=True,
        include_children=True,
    )


def change() -> Change:
    """Make a comparison in which one line's temporary has gone."""
    after = measured(
        runs=(replace(RUN, peak_allocated=51 * MIB, allocated_bytes=101 * MIB),),
        sites=(site((1, 2), 100.0, 48.0), site((2,), 1.0)),
    )
    return measured().diff(after)


def by_line(**changes: Any) -> LineMemory:
    """Make memory by line of one function, in which a temporary doubles it."""
    source = (
        "def clean(frame):",
        "    frame = frame.copy()",
        "    # text is slow",
        "    text = frame.a.str.lower() + frame.b",
        "    return frame.assign(text=text)",
    )
    lines = (
        MemoryLine(13, 1, 50 * MIB, 120, 0, 3, 50 * MIB, 250 * MIB),
        MemoryLine(15, 1, 100 * MIB, 90_000, 52 * MIB, 80_000, 100 * MIB, 301 * MIB),
        MemoryLine(16, 1, 51 * MIB, 33, 50 * MIB, 20, 51 * MIB, 305 * MIB),
    )
    function = FunctionMemory("clean", "/home/u/clean.py", 12, 1, source, "", lines)
    fields: dict[str, Any] = {
        "statement": "tidy = clean(frame)",
        "functions": (function,),
        "start_rss": 200 * MIB,
        "native": False,
        "problems": (),
        "interrupted": False,
        "python": "3.13.0",
        "created": "2026-11-21T11:00:00+00:00",
    }
    return LineMemory(**(fields | changes))


def hostile_by_line() -> LineMemory:
    """Make memory by line in which every text is hostile and figures are extreme."""
    names = tuple(HOSTILE.values())
    huge = 2**62
    lines = tuple(
        MemoryLine(number, huge, huge, huge, 0, huge, huge) for number in range(300)
    )
    functions = tuple(
        FunctionMemory(name, name, 0, huge, names * 40, name, lines)
        for name in names * 5
    )
    return by_line(
        statement="\n".join(names),
        functions=functions,
        problems=names * 9,
        interrupted=True,
    )


def growth() -> Growth:
    """Make what a cell leaves."""
    lines = (
        LineGrowth("/home/u/clean.py", 15, "cache.append(row)", 48 * MIB, 900),
        LineGrowth("/home/u/clean.py", 19, "old.clear()", -3 * MIB, -12),
    )
    return Growth("clean(frame)", lines, (Kind("dict", 900, 40 * MIB),))


def hostile_growth() -> Growth:
    """Make what a cell leaves with hostile names and extreme figures."""
    names = tuple(HOSTILE.values()) * 9
    lines = tuple(LineGrowth(name, 2**31, name, -(2**62), 2**62) for name in names)
    kinds = tuple(Kind(name, -(2**62), 2**62) for name in names)
    return Growth("\n".join(names), lines, kinds)


def hostile_snapshot() -> Snapshot:
    """Make a snapshot with hostile names."""
    result = hostile_measured()
    return Snapshot(result.places, result.sites, result.kept)


MEMIT: dict[str, Callable[[], Result]] = {
    "memit": measured,
    "memit_change": change,
    "memit_change_hostile": lambda: hostile_measured().diff(measured()),
    "memit_growth": growth,
    "memit_growth_hostile": hostile_growth,
    "memit_hostile": hostile_measured,
    "memit_leaks": leaking,
    "memit_lines": by_line,
    "memit_lines_hostile": hostile_by_line,
    "memit_lines_nothing": lambda: by_line(functions=(), problems=("f is not there",)),
    "memit_many": many_measured,
    "memit_snapshot": lambda: Snapshot(PLACES, measured().sites, ()),
    "memit_snapshot_hostile": hostile_snapshot,
    "memit_recording": recording,
    "memit_recording_hostile": hostile_recording,
    "memit_recording_many": many_spans,
    "memit_recording_empty": lambda: Recording("", Course(0, (), ()), (), ()),
}
