"""Results about memory made by hand, ordinary and hostile."""

from __future__ import annotations

import math
from collections.abc import Callable

from nbprobe.memit.recording import Course, Recording, Span
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
        for index in range(5_000)
    )
    children = tuple(course(index, 1.0, 20) for index in range(300))
    return Recording("x" * 10_000, course(0, 20.0, 20_000), spans, children)


MEMIT: dict[str, Callable[[], Result]] = {
    "memit_recording": recording,
    "memit_recording_hostile": hostile_recording,
    "memit_recording_many": many_spans,
    "memit_recording_empty": lambda: Recording("", Course(0, (), ()), (), ()),
}
