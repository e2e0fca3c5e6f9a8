"""How a recording of ``mprof`` is shown."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from ..views import units
from ..views.drawing import Picture
from ..views.names import clean, one_line, shorten
from ..views.notes import Note, aligned
from ..views.tables import Column, Table
from ..views.timeline import Bar, Series, timeline
from .recording import MIB, Course, Recording

__all__ = ["chart", "headline", "html", "page_body", "text"]

_ROWS = 30


def headline(recording: Recording) -> str:
    """Give a recording in one line."""
    return (
        f"peak {units.memory(recording.main.peak_mib * MIB, 4)} in"
        f" {units.seconds(_length(recording))}: {one_line(recording.command)}"
    )


def text(recording: Recording) -> str:
    """Give the figures, and a line for each function and process."""
    lines = [headline(recording), *aligned(_notes(recording))]
    for table in (_functions(recording), _processes(recording)):
        if table.rows:
            lines += ["", table.text()]
    return "\n".join(lines)


def html(recording: Recording) -> str:
    """Give the course as a picture, and tables of functions and processes."""
    return page_body([recording], chart([recording]), title=recording.command)


def page_body(
    recordings: list[Recording], picture: Picture | None, *, title: str
) -> str:
    """Give several recordings that one picture shows together, as HTML."""
    from ..views.html import render

    return render(
        "memit/recording.html.j2",
        title=shorten(title, 300),
        picture=picture,
        recordings=[_figures(recording) for recording in recordings],
    )


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is shown of one recording below the picture."""

    peak: str
    unit: str
    below: str
    command: str
    notes: list[Note]
    tables: list[Table]


def _figures(recording: Recording) -> _Figures:
    peak, _, unit = units.memory(recording.main.peak_mib * MIB, 4).partition(" ")
    shown = [_functions(recording), _processes(recording)]
    tables = [table for table in shown if table.rows]
    return _Figures(
        peak,
        unit,
        f"peak in {units.seconds(_length(recording))}",
        one_line(recording.command),
        _notes(recording),
        tables,
    )


def chart(
    recordings: list[Recording],
    *,
    functions: bool = True,
    flame: bool = False,
    slope: bool = False,
) -> Picture | None:
    """Draw one recording, or several from a common beginning.

    Parameters
    ----------
    functions : bool
        Mark when functions ran. Only for a single recording, as mprof does.
    flame : bool
        As rows below the chart, by depth, instead of brackets.
    slope : bool
        Draw the line of least squares, and give its slope.
    """
    series = []
    for recording in recordings:
        begin = recording.begin_s
        main = _with_ends(recording) if functions else recording.main
        names = ["" if len(recordings) == 1 and not recording.processes else "itself"]
        if len(recordings) > 1:
            names = [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begin))]
        names += [f"process {course.pid}" for course in recording.processes]
        series += [
            _series(course, name, begin, slope)
            for name, course in zip(names, (main, *recording.processes), strict=True)
        ]
    bars = []
    if functions and len(recordings) == 1:
        begin = recordings[0].begin_s
        short = _short_names({span.name for span in recordings[0].spans})
        bars = [
            Bar(
                short[span.name],
                span.start_s - begin,
                span.start_mib * MIB,
                span.end_s - begin,
                span.end_mib * MIB,
                span.level,
            )
            for span in recordings[0].spans
        ]
    title = one_line(recordings[0].command) or "Memory"
    return timeline(series, bars, flame=flame, title=title)


def _short_names(names: set[str]) -> dict[str, str]:
    """Give of each dotted name as many of the last words as tell it apart."""
    endings = {name: _endings(name) for name in names}
    often = Counter(ending for each in endings.values() for ending in each)
    return {
        name: next((ending for ending in each if often[ending] == 1), name)
        for name, each in endings.items()
    }


def _endings(name: str) -> list[str]:
    words = name.split(".")[-5:]
    return [".".join(words[-number:]) for number in range(1, len(words) + 1)]


def _with_ends(recording: Recording) -> Course:
    """Give the course with the figures that the functions' ends add."""
    course = recording.main
    points = list(zip(course.time_s, course.mib, strict=True))
    for span in recording.spans:
        points += [(span.start_s, span.start_mib), (span.end_s, span.end_mib)]
    points.sort()
    return Course(course.pid, tuple(p[1] for p in points), tuple(p[0] for p in points))


def _series(course: Course, name: str, begin: float, slope: bool) -> Series:
    times = tuple(time_s - begin for time_s in course.time_s)
    values = tuple(mib * MIB for mib in course.mib)
    return Series(name, times, values, course.slope * MIB if slope else None)


def _length(recording: Recording) -> float:
    ends = [*recording.main.time_s[-1:], *(span.end_s for span in recording.spans)]
    return max(ends, default=0.0) - recording.begin_s


def _notes(recording: Recording) -> list[Note]:
    main = recording.main
    notes = [
        Note("samples", f"{len(main.mib):,}"),
        Note("slope", f"{units.change(main.slope * MIB)} a second"),
    ]
    if main.mib:
        first, last = main.mib[0] * MIB, main.mib[-1] * MIB
        notes.insert(
            0, Note("first, last", f"{units.memory(first, 4)}, {units.memory(last, 4)}")
        )
    return notes


def _functions(recording: Recording) -> Table:
    """Give a row for each function: its runs, their time, its peak, what it left."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for span in recording.spans:
        figures = (span.end_s - span.start_s, (span.end_mib - span.start_mib) * MIB)
        runs.setdefault(span.name, []).append(figures)
    rows = []
    for name, figures_of in list(runs.items())[:_ROWS]:
        rows.append(
            (
                one_line(name),
                f"{len(figures_of):,}",
                units.seconds(sum(took for took, _ in figures_of)),
                units.memory(recording.peak_mib(name) * MIB, 4),
                units.change(sum(grew for _, grew in figures_of)),
            )
        )
    columns = (
        Column("function", code=True),
        Column("runs", "right"),
        Column("time", "right"),
        Column("peak", "right"),
        Column("change", "right"),
    )
    return Table(columns, tuple(rows), max(0, len(runs) - _ROWS))


def _processes(recording: Recording) -> Table:
    rows = tuple(
        (
            clean(str(course.pid)),
            f"{len(course.mib):,}",
            units.memory(course.peak_mib * MIB, 4),
        )
        for course in recording.processes[:_ROWS]
    )
    columns = (
        Column("process", "right"),
        Column("samples", "right"),
        Column("peak", "right"),
    )
    return Table(columns, rows, max(0, len(recording.processes) - _ROWS))
