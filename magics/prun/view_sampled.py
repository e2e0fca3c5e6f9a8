"""How a sampled profile is shown, where that differs from one that was counted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..views import units
from ..views.names import one_line
from ..views.notes import Note
from ..views.tables import Column, Table
from .view_tables import where

if TYPE_CHECKING:
    from .result import ProfileResult
    from .sampled import Sampling

__all__ = ["line_table", "margin", "notes", "report", "summary", "warnings"]

_LINES = 30
_FEW = 100
_MUCH_LESS = 0.7


def summary(result: ProfileResult, sampling: Sampling) -> str:
    """Say in one line what was seen."""
    return (
        f"{units.plural(sampling.samples, 'sample')} of"
        f" {units.plural(len(result.functions), 'function')} in"
        f" {units.plural(len(result.threads), 'thread')}"
    )


def margin(sampling: Sampling, share: float) -> str:
    """Give half the 95 % interval of a share, in percent."""
    return f"±{100 * sampling.margin(share):.1f} %"


def report(
    result: ProfileResult,
    sampling: Sampling,
    sort: Sequence[str],
    limits: Sequence[int | float | str],
) -> str:
    """Give a table like that of pstats, whose counts are samples."""
    stats: Any = result.stats()
    stream = io.StringIO()
    stats.stream = stream
    rate = sampling.rounds / max(result.wall_ns / 1e9, 1e-9)
    print(
        f"         {summary(result, sampling)}, {units.seconds(result.wall_ns / 1e9)},"
        f" {rate:,.0f} looks a second",
        file=stream,
    )
    if not stats.stats:
        return stream.getvalue().rstrip()
    print(file=stream)
    stats.strip_dirs().sort_stats(*sort)
    _, labels = stats.get_print_list(limits)
    total = result.total_ns / 1e9 or 1.0
    heads = ("samples", "self", "self %", "±", "total", "total %")
    lines = [(heads, "filename:lineno(function)")]
    for label in labels:
        primitive, _, own, below, _ = stats.stats[label]
        figures = (
            units.count(primitive),
            units.seconds(own),
            units.percent(own / total),
            margin(sampling, own / total),
            units.seconds(below),
            units.percent(below / total),
        )
        lines.append((figures, _place(label)))
    for figures, place in lines:
        cells = "".join(f"{figure:>10}" for figure in figures)
        print(f"{cells}  {place}", file=stream)
    return stream.getvalue().rstrip()


def _place(label: tuple[str, int, str]) -> str:
    file, line, name = label
    return one_line(name if file == "~" else f"{file}:{line}({name})")


def warnings(result: ProfileResult, sampling: Sampling) -> list[str]:
    """Say what makes the shares worth less than they look."""
    found = []
    rate = sampling.rounds / max(result.wall_ns / 1e9, 1e-9)
    if sampling.samples < _FEW:
        found.append(
            f"only {units.plural(sampling.samples, 'sample')}: shares are rough; run it"
            " longer, or count with %prun alone"
        )
    if sampling.slowed and rate < _MUCH_LESS * sampling.hz:
        found.append(
            f"looked only {rate:,.0f} times a second, because a look takes long here"
            " and must not slow the program down"
        )
    if sampling.torn > 0.02 * (sampling.samples + sampling.torn):
        found.append(
            f"{units.plural(sampling.torn, 'stack')} changed while they were read and"
            " are left out"
        )
    if sampling.crowded:
        found.append(
            f"the tree was full: {units.plural(sampling.crowded, 'sample')} counted at"
            " a caller"
        )
    return found


_LINE_COLUMNS = (
    Column("samples", "right"),
    Column("%", "right"),
    Column("±", "right"),
    Column("line", code=True),
    Column("where", code=True),
)


def line_table(sampling: Sampling) -> Table:
    """Give the hottest lines; the time of functions in C is that of the line that calls."""
    rows = []
    for line in sampling.lines[:_LINES]:
        share = line.samples / max(sampling.samples, 1)
        rows.append(
            (
                units.count(line.samples),
                units.percent(share),
                margin(sampling, share),
                one_line(line.text or line.qualname),
                where(line.file, line.line),
            )
        )
    return Table(_LINE_COLUMNS, tuple(rows), max(0, len(sampling.lines) - _LINES))


def notes(result: ProfileResult, sampling: Sampling) -> list[Note]:
    """Say how the figures came about."""
    seconds = result.wall_ns / 1e9
    rate = sampling.rounds / max(seconds, 1e-9)
    found = [
        Note(
            "looked",
            f"{rate:,.0f} times a second for {units.seconds(seconds)}, at random"
            f" moments; {sampling.hz:,.0f} a second were asked for",
        ),
        Note("±", "half of the 95 % interval of the share before it"),
        Note(
            "cost",
            f"{units.seconds(sampling.cost_ns / 1e9)} of a processor, next to the"
            " program; nothing is subtracted",
        ),
        Note("C functions", "their time is that of the line that calls them"),
    ]
    if sampling.torn:
        found.append(Note("changed while read", units.count(sampling.torn)))
    if sampling.preempted:
        share = sampling.preempted / (sampling.samples + sampling.preempted)
        found.append(
            Note(
                "without a processor",
                f"{units.percent(share)} of the samples, left out: other programs had it",
            )
        )
    if sampling.waiting:
        names = ", ".join(one_line(name) for name in sampling.waiting[:8])
        found.append(Note("only waited", f"{names}: left out"))
    found += [Note("Python", result.python), Note("when", result.created)]
    return found
