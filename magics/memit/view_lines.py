"""How memory by line is shown: memory_profiler's columns, then ours."""

from __future__ import annotations

from dataclasses import dataclass

from ..lprun.excerpt import chosen_lines
from ..places import place_of
from ..views import charts, units
from ..views.drawing import Picture
from ..views.names import clean, one_line, pad
from ..views.tables import Column, Table
from .lines import FunctionMemory, LineMemory, MemoryLine
from .recording import MIB

__all__ = ["headline", "html", "report", "text"]

# What an output shows; the rest is in the result, and in the file of -T.
_FUNCTIONS = 8
_LINES, _ALL_LINES = 40, 48  # of each function, of all
_EVERYTHING = 10**9


def headline(result: LineMemory) -> str:
    """Give the result in one line."""
    hottest = max(
        ((line, function) for function in result.functions for line in function.lines),
        key=lambda pair: pair[0].peak_bytes,
        default=None,
    )
    number = units.plural(len(result.functions), "function")
    if hottest is None:
        return f"nothing was measured in {number}"
    line, function = hottest
    return (
        f"{number}; the highest peak of a line is {units.memory(line.peak_bytes)}:"
        f" {one_line(function.name, 40)}, line {line.number}"
    )


def text(result: LineMemory) -> str:
    """Give the tables, and what is out of the ordinary below them."""
    shown = _excerpts(result, _FUNCTIONS, _LINES, _ALL_LINES)
    parts = [_listing(result, *each) for each in shown]
    more = len(result.functions) - len(shown)
    if more:
        parts.append(f"and {units.plural(more, 'more function')}")
    if not parts:
        parts.append(headline(result))
    return "\n".join(["\n\n".join(parts), *_warnings(result)])


def report(result: LineMemory) -> str:
    """Give the tables of all functions, whole."""
    shown = _excerpts(result, _EVERYTHING, _EVERYTHING, _EVERYTHING)
    return "\n\n".join(_listing(result, *each) for each in shown) or headline(result)


def _warnings(result: LineMemory) -> list[str]:
    warnings = [one_line(problem, 200) for problem in result.problems[:10]]
    if result.interrupted:
        warnings.append(
            "ended early by an exception or Ctrl-C; this is what ran before"
        )
    warnings += [
        one_line(f"{function.name}: {function.note}", 200)
        for function in result.functions[:_FUNCTIONS]
        if function.note
    ]
    return warnings


def _excerpts(
    result: LineMemory, functions: int, lines: int, all_lines: int
) -> list[tuple[FunctionMemory, list[int]]]:
    """Give the functions to show, each with the numbers of the lines that fit."""
    excerpts = []
    for function in result.functions[:functions]:
        heaviest = sorted(function.lines, key=lambda line: -line.peak_bytes)
        shown = chosen_lines(
            min([function.first, *(line.number for line in function.lines)]),
            function.last,
            (line.number for line in heaviest),
            min(lines, max(all_lines, 5)),
        )
        all_lines -= len(shown)
        excerpts.append((function, shown))
    return excerpts


# ---- text ----

_TITLES = ("Line #", "Mem usage", "Increment", "Occurrences")
_WIDTHS = (6, 12, 12, 11)
_OURS = ("Peak", "Allocated", "Freed", "Blocks")


def _listing(result: LineMemory, function: FunctionMemory, shown: list[int]) -> str:
    """Give the table of one function, laid out as memory_profiler does."""
    cells = _cells(result, function, shown)
    ours = [
        max(len(title), 9, *(len(row[place]) for row in cells.values()), 0)
        for place, title in enumerate(_OURS, 3)
    ]
    widths = (*_WIDTHS, *ours)

    def row(figures: tuple[str, ...], source: str) -> str:
        padded = (pad(c, w, "right") for c, w in zip(figures, widths, strict=True))
        line_, usage_, *rest = padded
        return f"{line_} {usage_} {'  '.join(rest)}   {source}".rstrip()

    head = row((*_TITLES, *_OURS), "Line Contents")
    lines = [
        f"Filename: {one_line(function.file, 200)}",
        f"Function: {one_line(function.name, 80)} at line {function.first}",
        "",
        head,
        "=" * len(head),
    ]
    before = shown[0] - 1 if shown else 0
    for number in shown:
        if number > before + 1:
            lines.append(pad("...", _WIDTHS[0], "right"))
        before = number
        figures = cells.get(number, ("",) * (len(widths) - 1))
        lines.append(row((f"{number}", *figures), _source(function, number)))
    if before < function.last:
        lines.append(pad("...", _WIDTHS[0], "right"))
    return "\n".join(lines)


def _cells(
    result: LineMemory, function: FunctionMemory, shown: list[int]
) -> dict[int, tuple[str, ...]]:
    """Give the figures of the lines that have some, and of the first as it was before."""
    by_number = {line.number: line for line in function.lines}
    usage = function.usage(result.start_rss)
    cells: dict[int, tuple[str, ...]] = {}
    for number in shown:
        line = by_number.get(number)
        if line is not None:
            stock = (_mib(usage[number]), _mib(line.net_bytes), f"{line.hits:,}")
            cells[number] = (*stock, *_figures(line))
        elif number == function.first:
            start = _mib(result.start_rss)
            cells[number] = (start, start, f"{function.calls:,}", *("",) * len(_OURS))
    return cells


def _mib(bytes_: int) -> str:
    return f"{bytes_ / MIB:z.1f} MiB"


def _figures(line: MemoryLine) -> tuple[str, str, str, str]:
    return (
        units.memory(line.peak_bytes),
        units.memory(line.allocated_bytes),
        units.memory(line.freed_bytes),
        f"{line.allocations:,}",
    )


def _source(function: FunctionMemory, number: int) -> str:
    return clean(function.text(number).replace("\t", "    "))[:160]


# ---- HTML ----

_COLUMNS = (
    Column("Line #", "right"),
    Column(""),
    Column("Mem usage", "right"),
    Column("Increment", "right"),
    Column("Occurrences", "right"),
    *(Column(title, "right") for title in _OURS),
    Column("Line Contents", code=True),
)


def _table(result: LineMemory, function: FunctionMemory, shown: list[int]) -> Table:
    peaks = {line.number: line.peak_bytes for line in function.lines}
    limit = function.peak_bytes or 1
    cells = _cells(result, function, shown)
    blank = ("",) * (len(_COLUMNS) - 3)
    rows: list[tuple[str | Picture, ...]] = []
    before = shown[0] - 1 if shown else 0
    for number in shown:
        if number > before + 1:
            rows.append(("…", "", *blank, ""))
        before = number
        share = peaks.get(number, 0) / limit
        bar = (
            charts.interval_bar(share, share, share, 1.0, width=60) if share > 0 else ""
        )
        figures = cells.get(number, blank)
        rows.append((f"{number}", bar, *figures, _source(function, number)))
    return Table(_COLUMNS, tuple(rows), max(0, function.last - before))


@dataclass(frozen=True, slots=True)
class _Block:
    title: str
    table: Table


def html(result: LineMemory) -> str:
    """Give the source of each function with its figures beside it."""
    from ..views.html import render

    blocks = [
        _Block(
            f"{one_line(function.name)}  {one_line(place_of(function.file, function.first))},"
            f" peak {units.memory(function.peak_bytes)}",
            table,
        )
        for function, table in (
            (function, _table(result, function, shown))
            for function, shown in _excerpts(result, _FUNCTIONS, _LINES, _ALL_LINES)
        )
    ]
    more = len(result.functions) - len(blocks)
    return render(
        "memit/lines.html.j2",
        statement=result.statement,
        headline=headline(result),
        warnings=_warnings(result),
        blocks=blocks,
        more=f"and {units.plural(more, 'more function')}" if more else "",
        start=units.memory(result.start_rss),
        files=[one_line(f.file, 200) for f in result.functions[:_FUNCTIONS]],
    )
