"""How one line profile is shown: line_profiler's table as text, coloured source as HTML."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING

from ..live.processes import describe
from ..places import place_of
from ..views import units
from ..views.names import clean, one_line
from ..views.notes import Note
from ..views.processes import ChildrenView, apart
from ..views.tables import ROWS, Column, Table
from . import view_engines
from .excerpt import numbers
from .listing import Times, listing, memory_columns, time_columns
from .result import Function, Line, LineResult
from .text import show_func

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["headline", "html", "report", "text"]

# What an output holds, so that it stays below 50 kB of text and 200 kB of HTML; the rest
# is in the result.
_TEXT_LINES = 500
_TEXT_LINES_EACH = 250
_HTML_LINES = 230
_HTML_LINES_EACH = 90
_HOTTEST = 5
_AROUND = 3
_OPEN = 0.2  # of the time, from which on a function is not folded
_RAW = 15
_WORTH = 6  # lines, less of a function says nothing


def headline(result: LineResult) -> str:
    """Give a profile in one line."""
    text = (
        f"{units.seconds(result.self_ns / 1e9)} in"
        f" {units.plural(len(result.functions), 'function')},"
        f" {units.plural(result.hits, 'line')} executed"
    )
    hottest = _hottest(result)[:1]
    for function, line in hottest:
        text += f"; most in {one_line(function.name)}, line {line.number}"
    return text


# ---- text ----


def report(result: LineResult) -> str:
    """Give line_profiler's table of every function."""
    stream = io.StringIO()
    functions = result.shown()
    replace(result, functions=functions).stats().print(
        stream, output_unit=result.unit, config=False
    )
    return stream.getvalue().rstrip()


def text(result: LineResult) -> str:
    """Give line_profiler's table, and below it what it does not tell.

    Of what is very long, only the part that matters.
    """
    stream = io.StringIO()
    unit = 1e-9 if result.unit is None else result.unit
    stream.write(f"Timer unit: {unit:g} s\n\n")
    functions = result.shown()
    left = _TEXT_LINES
    by_time = sorted(functions, key=lambda function: -function.self_ns)
    in_full = {}
    for function in by_time:
        chosen = numbers(function, _TEXT_LINES_EACH)
        if left >= len(chosen):
            in_full[function.key] = chosen
            left -= len(chosen) + 6
    for function in functions:
        if function.key in in_full:
            _write(stream, function, result, in_full[function.key])
    for function in functions:
        if function.key not in in_full:
            stream.write(
                f"{function.total_ns / 1e9:6.2f} seconds -"
                f" {function.file}:{function.first} - {function.name}\n"
            )
    lines = [stream.getvalue().rstrip(), *view_engines.lines(result), ""]
    lines += [*_warnings(result), *_hints(result)]
    if children := _children(result):
        lines += ["", *children.lines()]
    return clean("\n".join(lines).strip("\n"))


def _by_thread(
    function: Function, result: LineResult
) -> list[tuple[str, tuple[Line, ...]]]:
    """Give the lines of each thread that called the function, with its name."""
    return [
        (name, lines)
        for name, lines in zip(result.threads, function.threads, strict=False)
        if lines
    ]


def _write(
    stream: io.StringIO, function: Function, result: LineResult, keep: list[int]
) -> None:
    stats = replace(result, functions=(function,)).stats()
    parts = [("", stats.timings[function.key], function.lines)]
    if result.by_thread:
        for name, lines in _by_thread(function, result):
            one = replace(function, lines=lines, threads=())
            timings = replace(result, functions=(one,)).stats().timings
            parts.append((name, timings[function.key], lines))
    for thread, rows, lines in parts:
        if thread:
            stream.write(f"Thread: {thread}\n")
        show_func(
            *function.key,
            rows,
            1e-9,
            output_unit=result.unit,
            stream=stream,
            source=stats.source(function.key),
            config=False,
            extra={
                column.title: {line.number: column.cell(line) for line in lines}
                for column in memory_columns(function)
            },
            keep=None if len(keep) >= len(function.source) else keep,
        )


def _warnings(result: LineResult) -> list[str]:
    """Say what the tables do not tell."""
    warnings = list(result.problems)
    if result.ended_by:
        warnings.append(f"ended early by {result.ended_by}; this is what ran before")
    elif not result.functions:
        warnings.append(
            "no function of yours was called: name one with -f, or the modules of a"
            " package with -m 'package.*'"
        )
    elif not result.hits:
        warnings.append("none of these functions was called")
    if result.processes:
        warnings.append(clean(describe(result.processes, result.other_programs)))
    if result.dropped:
        warnings.append(
            f"{units.plural(result.dropped, 'call')} not recorded, for lack of memory"
        )
    return warnings


def _hints(result: LineResult) -> list[str]:
    """Name how functions were measured, where that was not by probes."""
    other: dict[str, list[str]] = {}
    for function in result.functions:
        if function.how != "probes" and function.lines:
            other.setdefault(function.how, []).append(one_line(function.name))
    return [
        f"measured by {how}: {', '.join(names[:10])}"
        + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        for how, names in other.items()
    ]


# ---- HTML ----


@dataclass(frozen=True, slots=True)
class _Hot:
    share: str
    name: str
    number: int
    text: str
    around: Markup


@dataclass(frozen=True, slots=True)
class _Part:
    """A listing: of one thread, or of all together."""

    name: str
    listing: Markup


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    place: str
    figure: str
    note: str
    is_open: bool
    parts: tuple[_Part, ...]


def html(result: LineResult) -> str:
    """Give the hottest lines, then each function's source with its figures."""
    from ..views.html import render

    functions = result.shown()
    blocks, rest = _blocks(result, functions)
    seconds, _, unit = units.seconds(result.self_ns / 1e9).partition(" ")
    seen, warnings = apart(_warnings(result), result.processes, result.other_programs)
    return render(
        "lprun/lines.html.j2",
        result=result,
        figure=seconds,
        unit=unit,
        summary=f"in {units.plural(len(result.functions), 'function')},"
        f" {units.plural(result.hits, 'line')} executed",
        seen=seen,
        warnings=warnings,
        hottest=[_hot(result, *pair) for pair in _hottest(result)],
        blocks=blocks,
        rest=_table(result, rest),
        children=_children(result),
        engines=view_engines.tables(result),
        raw=_raw(result),
        notes=_notes(result),
    )


def _hottest(result: LineResult) -> list[tuple[Function, Line]]:
    """Give the lines with most time of their own, as far as they are worth a name."""
    pairs = [(function, line) for function in result.shown() for line in function.lines]
    pairs.sort(key=lambda pair: (-pair[1].self_ns, pair[0].key, pair[1].number))
    least = 0.02 * result.self_ns
    return [pair for pair in pairs[:_HOTTEST] if pair[1].self_ns > least]


def _hot(result: LineResult, function: Function, line: Line) -> _Hot:
    around = range(line.number - _AROUND, line.number + _AROUND + 1)
    last = function.first + len(function.source)
    chosen = [each for each in around if function.first <= each < last]
    return _Hot(
        share=units.percent(line.self_ns / (result.self_ns or 1.0)),
        name=one_line(function.name),
        number=line.number,
        text=one_line(function.text(line.number), 100),
        around=_listing(result, function, len(chosen), chosen or [line.number]),
    )


def _blocks(
    result: LineResult, functions: tuple[Function, ...]
) -> tuple[list[_Block], list[Function]]:
    """Give the functions that are listed, and those that there is no room for."""
    room: dict[tuple[str, int, str], int] = {}
    left = _HTML_LINES
    for function in sorted(functions, key=lambda function: -function.self_ns):
        limit = min(_HTML_LINES_EACH, left)
        if limit < _WORTH:
            break
        room[function.key] = limit
        tables = 1 + len(_by_thread(function, result)) * result.by_thread
        left -= tables * len(numbers(function, limit))
    busiest = max((function.self_ns for function in functions), default=0.0)
    blocks = [
        _block(result, function, room[function.key], busiest)
        for function in functions
        if function.key in room
    ]
    return blocks, [each for each in functions if each.key not in room]


def _block(
    result: LineResult, function: Function, limit: int, busiest: float
) -> _Block:
    share = function.self_ns / (result.self_ns or 1.0)
    parts = [_Part("", _listing(result, function, limit))]
    if result.by_thread:
        for name, lines in _by_thread(function, result):
            one = replace(function, lines=lines, threads=())
            parts.append(_Part(name, _listing(result, one, limit)))
    figure = f"{Times(result.unit)(function.total_ns)}, {units.percent(share)} of all"
    if function.awaited_ns:
        figure += f", awaited {Times(result.unit)(function.awaited_ns)}"
    return _Block(
        name=one_line(function.name),
        place=_place(function),
        figure=figure,
        note=function.note,
        is_open=share >= _OPEN or function.self_ns >= busiest,
        parts=tuple(parts),
    )


def _place(function: Function) -> str:
    return one_line(place_of(function.file, function.first))


def _listing(
    result: LineResult,
    function: Function,
    limit: int,
    chosen: list[int] | None = None,
) -> Markup:
    total = function.total_ns or 1.0
    return listing(
        function,
        [*time_columns(function, Times(result.unit)), *memory_columns(function)],
        lambda line: line.total_ns / total,
        limit=limit,
        chosen=chosen,
    )


_COLUMNS = (
    Column("time", "right"),
    Column("self", "right"),
    Column("%", "right"),
    Column("lines executed", "right"),
    Column("function", code=True),
    Column("where", code=True),
)


def _table(result: LineResult, functions: list[Function]) -> Table | None:
    if not functions:
        return None
    times = Times(result.unit)
    rows = [
        (
            times(function.total_ns),
            times(function.self_ns),
            units.percent(function.self_ns / (result.self_ns or 1.0)),
            f"{function.hits:,}",
            one_line(function.name),
            _place(function),
        )
        for function in sorted(functions, key=lambda each: -each.self_ns)
    ]
    return Table.capped(_COLUMNS, rows[:ROWS], len(rows))


def _children(result: LineResult) -> ChildrenView | None:
    if not result.processes or result.is_remote:
        return None
    parts = {
        label: {function.name: function.self_ns for function in part.functions}
        for label, part in result.by_process().items()
    }
    return ChildrenView(result.processes, parts, result.wall_ns)


def _memory_notes(result: LineResult) -> list[Note]:
    if not any(function.has_memory for function in result.functions):
        return []
    return [
        Note(
            "kept", "allocated there and not freed there, with all that the line calls"
        ),
        Note("peak", "the most above what there was as the line began"),
    ]


def _notes(result: LineResult) -> list[Note]:
    raw = fsum(line.raw_self_ns for each in result.functions for line in each.lines)
    subtracted = "nothing"
    if any(result.costs_ns):
        subtracted = (
            f"{units.seconds((raw - result.self_ns) / 1e9)} of"
            f" {units.seconds(raw / 1e9)} that the clock gave:"
            f" {units.seconds(result.costs_ns[0] / 1e9)} a line,"
            f" {units.seconds(result.costs_ns[1] / 1e9)} a call and a return each"
        )
    return [
        Note("time", "with all that the line calls; recursion counted once"),
        Note("self", "without functions that are profiled too"),
        *_memory_notes(result),
        Note("subtracted", subtracted),
        Note("profiled for", units.seconds(result.wall_ns / 1e9)),
        Note("threads", ", ".join(result.threads)),
        *(Note("how", hint) for hint in _hints(result)),
        Note("Python", result.python),
        Note("when", result.created),
    ]


_RAW_COLUMNS = (
    Column("function", code=True),
    Column("line", "right"),
    Column("time", "right"),
    Column("raw", "right"),
    Column("self", "right"),
    Column("raw", "right"),
)


def _raw(result: LineResult) -> Table | None:
    """Give the lines that took most time beside what the clock gave for them."""
    pairs = [(function, line) for function in result.shown() for line in function.lines]
    pairs.sort(key=lambda pair: -pair[1].raw_self_ns)
    times = Times(result.unit)
    rows = [
        (
            one_line(function.name),
            str(line.number),
            times(line.total_ns),
            times(line.raw_total_ns),
            times(line.self_ns),
            times(line.raw_self_ns),
        )
        for function, line in pairs[:_RAW]
    ]
    more = max(0, len(pairs) - _RAW)
    return Table(_RAW_COLUMNS, tuple(rows), more) if rows else None
