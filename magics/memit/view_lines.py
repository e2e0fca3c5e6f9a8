"""How memory by line is shown."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..views import charts, units
from ..views.drawing import Picture
from ..views.names import clean, one_line
from ..views.tables import Column, Table
from .lines import FunctionMemory, LineMemory, MemoryLine

__all__ = ["headline", "html", "report", "text"]

# What an output shows; the rest is in the result.
_FUNCTIONS = 8
_LINES = 40
_ALL_LINES = 55


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
    return "\n".join([report(result), *_warnings(result)])


def report(result: LineMemory) -> str:
    """Give a table for each function, laid out as memory_profiler lays them out."""
    if not result.functions:
        return headline(result)
    parts = []
    shown = zip(result.functions, _tables(result), strict=False)
    for function, table in shown:
        head, _, body = table.text().partition("\n")
        rule = "=" * len(head)
        name = one_line(function.name, 80)
        title = f"Filename: {one_line(function.file, 200)}\nFunction: {name}"
        parts.append(f"{title}\n\n{head}\n{rule}\n{body}")
    more = len(result.functions) - _FUNCTIONS
    if more > 0:
        parts.append(f"and {more:,} more functions")
    return "\n\n".join(parts)


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


def _tables(result: LineMemory, *, bars: bool = False) -> list[Table]:
    """Give a table for each function that is shown, with as many lines as fit."""
    tables = []
    left = _ALL_LINES
    for function in result.functions[:_FUNCTIONS]:
        table = _table(function, min(_LINES, max(left, 5)), bars=bars)
        left -= len(table.rows)
        tables.append(table)
    return tables


def _table(function: FunctionMemory, most: int, *, bars: bool = False) -> Table:
    by_number = {line.number: line for line in function.lines}
    numbers = range(function.first, function.first + len(function.source))
    shown = list(numbers) if function.source else sorted(by_number)
    if len(shown) > most:
        # The heaviest lines, in their order.
        heaviest = sorted(function.lines, key=lambda line: -line.peak_bytes)[:most]
        shown = sorted(line.number for line in heaviest)
    limit = function.peak_bytes or 1
    rows: list[tuple[str | Picture, ...]] = []
    for number in shown:
        cells = (
            *_cells(by_number.get(number)),
            clean(function.text(number).replace("\t", "    "))[:100],
        )
        if bars:
            peak = by_number[number].peak_bytes if number in by_number else 0
            share = peak / limit
            bar = charts.interval_bar(share, share, share, 1.0)
            rows.append((f"{number}", bar if peak else "", *cells))
        else:
            rows.append((f"{number}", *cells))
    columns = [
        Column("Line #", "right"),
        Column("Increment", "right"),
        Column("Peak", "right"),
        Column("Allocated", "right"),
        Column("Freed", "right"),
        Column("Blocks", "right"),
        Column("Occurrences", "right"),
        Column("Line Contents", code=True),
    ]
    if bars:
        columns.insert(1, Column(""))
    total = len(numbers) if function.source else len(by_number)
    return Table(tuple(columns), tuple(rows), max(0, total - len(shown)))


def _cells(line: MemoryLine | None) -> tuple[str, ...]:
    if line is None:
        return ("",) * 6
    return (
        units.change(line.net_bytes),
        units.memory(line.peak_bytes),
        units.memory(line.allocated_bytes),
        units.memory(line.freed_bytes),
        f"{line.allocations:,}",
        f"{line.hits:,}",
    )


@dataclass(frozen=True, slots=True)
class _Block:
    title: str
    table: Table


def html(result: LineMemory) -> str:
    """Give the source of each function with its figures beside it."""
    from ..views.html import render

    blocks = [
        _Block(
            f"{one_line(function.name)}  {os.path.basename(function.file)}:"
            f"{function.first}, peak {units.memory(function.peak_bytes)}",
            table,
        )
        for function, table in zip(
            result.functions, _tables(result, bars=True), strict=False
        )
    ]
    more = len(result.functions) - len(blocks)
    return render(
        "memit/lines.html.j2",
        statement=result.statement,
        headline=headline(result),
        warnings=_warnings(result),
        blocks=blocks,
        more=f"and {more:,} more functions" if more else "",
        files=[one_line(f.file, 200) for f in result.functions[:_FUNCTIONS]],
    )
