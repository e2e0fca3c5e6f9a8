"""How the difference of two line profiles is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..places import file_name
from ..views import units
from ..views.colours import GREEN, ORANGE, rgba
from ..views.names import clean, one_line, pad, shorten
from ..views.notes import Note
from ..views.tables import Column, Table
from .difference import FunctionDifference, LineChange, LineDifference

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["headline", "html", "text"]

_TEXT_LINES = 400
_HTML_LINES = 220
_EACH = 80
_AROUND = 2
_OPEN = 0.1  # of the largest change, from which on a function is not folded
_TITLES = ("hits", "before", "now", "change")


def headline(result: LineDifference) -> str:
    """Give a difference in one line."""
    before, now = result.before_ns, result.after_ns
    text = f"{_time(before)} before, {_time(now)} now"
    if before > 0 and now > 0:
        word = "faster" if now < before else "slower"
        text += f": {max(before, now) / min(before, now):.3g}x {word}"
    return text


def text(result: LineDifference) -> str:
    """Give the functions that changed, line by line, the largest change first."""
    lines = [headline(result)]
    left = _TEXT_LINES
    for function in result.functions:
        chosen = _chosen(function, min(_EACH, left))
        if not chosen:
            break
        left -= len(chosen) + 3
        lines += ["", _title(function), *_rows(function, chosen)]
    return clean("\n".join(lines))


def _title(function: FunctionDifference) -> str:
    place = file_name(function.file)
    if function.before_ns is None:
        return f"{function.name} ({place}): only now, {_time(function.after_ns or 0)}"
    if function.after_ns is None:
        return f"{function.name} ({place}): only before, {_time(function.before_ns)}"
    return (
        f"{function.name} ({place}): {_time(function.before_ns)} before,"
        f" {_time(function.after_ns)} now"
    )


def _chosen(function: FunctionDifference, limit: int) -> list[int]:
    """Choose the lines to show: those that changed most, with their neighbours."""
    count = len(function.lines)
    if count <= limit:
        return list(range(count))
    by_change = sorted(
        range(count), key=lambda index: -abs(function.lines[index].change_ns)
    )
    chosen: set[int] = set()
    for index in by_change:
        around = range(max(0, index - _AROUND), min(count, index + _AROUND + 1))
        if len(chosen | set(around)) > limit:
            break
        chosen |= set(around)
    return sorted(chosen)


def _cells(line: LineChange) -> tuple[str, str, str, str, str]:
    """Mark, hits, time before, time now and change of a line."""
    mark = (
        " "
        if line.number_before and line.number_after
        else "-+"[not line.number_before]
    )
    if line.before is None and line.after is None:
        return mark, "", "", "", ""
    hits = [f"{each.hits:,}" for each in (line.before, line.after) if each is not None]
    return (
        mark,
        hits[0] if len(set(hits)) == 1 else " > ".join(hits),
        _time(line.before.total_ns) if line.before else "",
        _time(line.after.total_ns) if line.after else "",
        f"{'+' if line.change_ns > 0 else ''}{_time(line.change_ns)}",
    )


def _time(time_ns: float) -> str:
    sign = "-" if time_ns < 0 else ""
    return sign + units.seconds(abs(time_ns) / 1e9)


def _widths(function: FunctionDifference, chosen: list[int]) -> list[int]:
    rows = [_cells(function.lines[index])[1:] for index in chosen]
    return [
        max(len(title), *(len(row[place]) for row in rows))
        for place, title in enumerate(_TITLES)
    ]


def _figures(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(
        pad(cell, columns, "right") for cell, columns in zip(cells, widths, strict=True)
    )


def _rows(function: FunctionDifference, chosen: list[int]) -> list[str]:
    widths = _widths(function, chosen)
    rows = [f"  {_figures(_TITLES, widths)}"]
    before = -1
    for index in chosen:
        if index > before + 1:
            rows.append(f"  … {units.plural(index - before - 1, 'line')}")
        before = index
        line = function.lines[index]
        mark, *cells = _cells(line)
        source = shorten(line.text.rstrip(), 160)
        rows.append(f"{mark} {_figures(tuple(cells), widths)}  {source}".rstrip())
    return rows


@dataclass(frozen=True, slots=True)
class _Block:
    title: str
    is_open: bool
    listing: Markup


def html(result: LineDifference) -> str:
    """Give the same with colours: what became faster green, what slower orange."""
    from ..views.html import render

    blocks = []
    left = _HTML_LINES
    largest = max((abs(each.change_ns) for each in result.functions), default=0.0)
    for function in result.functions:
        chosen = _chosen(function, min(_EACH, left))
        if not chosen:
            break
        left -= len(chosen)
        is_open = abs(function.change_ns) >= _OPEN * largest
        blocks.append(
            _Block(one_line(_title(function), 120), is_open, _listing(function, chosen))
        )
    seconds, _, unit = units.seconds(result.after_ns / 1e9).partition(" ")
    return render(
        "lprun/difference.html.j2",
        result=result,
        figure=seconds,
        unit=unit,
        summary=headline(result),
        blocks=blocks,
        more=_table(result.functions[len(blocks) :]),
        notes=[
            Note("before", one_line(result.before)),
            Note("now", one_line(result.after)),
        ],
    )


def _listing(function: FunctionDifference, chosen: list[int]) -> Markup:
    from markupsafe import Markup, escape

    from ..views.code import highlight_lines

    widths = _widths(function, chosen)
    largest = max(abs(function.lines[index].change_ns) for index in chosen) or 1.0
    source = highlight_lines([function.lines[index].text for index in chosen])
    rows = [
        Markup('<span style="opacity:0.7">  {}</span>').format(
            _figures(_TITLES, widths)
        )
    ]
    before = -1
    for index, shown in zip(chosen, source, strict=True):
        if index > before + 1:
            rows.append(escape(f"  … {units.plural(index - before - 1, 'line')}"))
        before = index
        line = function.lines[index]
        mark, *cells = _cells(line)
        figures = escape(_figures(tuple(cells), widths))
        share = abs(line.change_ns) / largest
        if share >= 0.01:
            colour = rgba(ORANGE if line.change_ns > 0 else GREEN, 0.05 + 0.45 * share)
            figures = Markup('<span style="background:{}">{}</span>').format(
                colour, figures
            )
        rows.append(Markup("{} {}  {}").format(mark, figures, shown))
    return Markup("\n").join(rows)


_COLUMNS = (
    Column("before", "right"),
    Column("now", "right"),
    Column("function", code=True),
)


def _table(functions: tuple[FunctionDifference, ...]) -> Table | None:
    if not functions:
        return None
    rows = [
        (
            _time(each.before_ns or 0.0),
            _time(each.after_ns or 0.0),
            one_line(each.name),
        )
        for each in functions
    ]
    return Table.capped(_COLUMNS, rows, len(rows))
