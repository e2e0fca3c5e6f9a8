"""Source with figures before each line, as HTML that takes little room.

Letters of one width rather than a table: a table would repeat the style of every cell,
which for a long function is more than the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..views import units
from ..views.colours import BLUE, ORANGE, rgba
from ..views.names import pad, width
from .excerpt import passages
from .result import Function, Line, LineMemory

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Column", "Times", "listing", "memory_columns", "time_columns"]

_BAR = 6


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures.

    Attributes
    ----------
    title : str
    cell : callable
        Gives the text of a line.
    """

    title: str
    cell: Callable[[Line], str]


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written: each with what fits, or all in one unit."""

    unit: float | None = None

    def __call__(self, time_ns: float) -> str:
        """Write a time in nanoseconds."""
        if self.unit is None:
            return units.seconds(time_ns / 1e9)
        return f"{time_ns * 1e-9 / self.unit:,.1f}"


def time_columns(function: Function, times: Times) -> list[Column]:
    """Give the columns of times of a function; of waiting, where it waits."""
    total = function.total_ns or 1.0
    columns = [
        Column("hits", lambda line: f"{line.hits:,}"),
        Column("time", lambda line: times(line.total_ns)),
        Column("self", lambda line: times(line.self_ns)),
        Column("per hit", lambda line: times(line.total_ns / max(line.hits, 1))),
        Column("share", lambda line: units.percent(line.total_ns / total)),
    ]
    if any(line.awaited_ns for line in function.lines):
        columns.append(
            Column(
                "awaited", lambda line: times(line.awaited_ns) * bool(line.awaited_ns)
            )
        )
    return columns


def memory_columns(function: Function) -> list[Column]:
    """Give the columns of memory of a function; none where it was not measured."""
    if not function.has_memory:
        return []
    return [
        Column("kept", _of_memory(lambda memory: memory.net_bytes)),
        Column("allocated", _of_memory(lambda memory: memory.allocated_bytes)),
        Column("peak", _of_memory(lambda memory: memory.peak_bytes)),
    ]


def _of_memory(figure: Callable[[LineMemory], int]) -> Callable[[Line], str]:
    def cell(line: Line) -> str:
        number = figure(line.memory) if line.memory is not None else 0
        return units.memory(number) if number else ""

    return cell


def listing(
    function: Function,
    columns: Sequence[Column],
    heat: Callable[[Line], float],
    *,
    limit: int,
    chosen: Sequence[int | tuple[int, int]] | None = None,
) -> Markup:
    """Give a function's source with figures.

    Parameters
    ----------
    function : Function
    columns : sequence of Column
        What stands before the source.
    heat : callable
        How hot a line is, from 0 to 1: the tint of its gutter and the length of its bar.
    limit : int
        At most about so many lines; the rest is left out where least happens.
    chosen : sequence of int or (int, int), optional
        The lines, and gaps between them, to show instead.

    Returns
    -------
    Markup
        The content of a ``pre`` element.
    """
    from markupsafe import Markup, escape

    places = list(passages(function, limit) if chosen is None else chosen)
    lines = {line.number: line for line in function.lines}
    shown = [place for place in places if isinstance(place, int)]
    source = dict(zip(shown, _highlighted(function, shown), strict=True))
    cells = {
        number: [column.cell(lines[number]) for column in columns]
        for number in shown
        if number in lines
    }
    widths = [
        max(width(text) for text in (column.title, *(row[i] for row in cells.values())))
        for i, column in enumerate(columns)
    ]
    digits = max([4, *(len(str(number)) for number in shown)])
    waits = max([0.0, *(line.awaited_ns for line in function.lines)])
    bar = _BAR + (_BAR + 1 if waits else 0)
    titles = [pad(c.title, w, "right") for c, w in zip(columns, widths, strict=True)]
    head = "  ".join(["  ", pad("line", digits, "right"), *titles])
    rows = [Markup('<span style="opacity:0.7">{}</span>').format(head)]
    blank = " " * (sum(widths) + 2 * len(widths) + 1 + bar)
    for place in places:
        if not isinstance(place, int):
            rows.append(_gap(place, lines, function, digits))
            continue
        number = Markup('<span style="opacity:0.7">{}</span>').format(
            pad(str(place), digits, "right")
        )
        if place not in cells:
            rows.append(Markup("    {}{}  {}").format(number, blank, source[place]))
            continue
        line = lines[place]
        share = min(max(heat(line), 0.0), 1.0)
        figures = "  ".join(
            pad(text, w, "right") for text, w in zip(cells[place], widths, strict=True)
        )
        drawn = _bar(share, ORANGE)
        if waits:
            drawn += " " + _bar(line.awaited_ns / waits, BLUE)
        rows.append(
            Markup("{}  {}  {} {}  {}").format(
                _tint(share), number, escape(figures), drawn, source[place]
            )
        )
    return Markup("\n").join(rows)


def _highlighted(function: Function, shown: Sequence[int]) -> list[Markup]:
    from ..views.code import highlight_lines

    texts = textwrap.dedent("\n".join(map(function.text, shown))).split("\n")
    return highlight_lines(texts[: len(shown)])


def _tint(share: float) -> Markup:
    from markupsafe import Markup

    if share < 0.01:
        return Markup("  ")
    colour = rgba(ORANGE, 0.1 + 0.8 * share)
    return Markup('<span style="background:{}">  </span>').format(colour)


def _bar(share: float, colour: str) -> Markup:
    """Draw a bar of coloured blanks; the smallest that is anything is half a blank."""
    from markupsafe import Markup

    length = round(share * _BAR)
    if not length:
        return Markup(" " * _BAR)
    return Markup('<span style="background:{}">{}</span>{}').format(
        rgba(colour, 0.75), " " * length, " " * (_BAR - length)
    )


def _gap(
    gap: tuple[int, int], lines: dict[int, Line], function: Function, digits: int
) -> Markup:
    from markupsafe import Markup

    inside = [line for number, line in lines.items() if gap[0] <= number <= gap[1]]
    share = sum(line.total_ns for line in inside) / (function.total_ns or 1.0)
    text = f"{units.plural(gap[1] - gap[0] + 1, 'line')}"
    if inside:
        text += f", {units.percent(share)}"
    return Markup('<span style="opacity:0.7">    {}  {}</span>').format(
        pad("…", digits, "right"), text
    )
