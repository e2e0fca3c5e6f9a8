"""How a profile is shown: pstats' table as text; figures, icicle and tables as HTML."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..views import units
from ..views.charts import Picture
from ..views.icicle import Block, icicle
from ..views.names import one_line
from ..views.notes import Note
from ..views.tables import Column, Table
from .pairs import Label, Pair, Row, rows
from .result import ProfileResult, Thread

__all__ = ["headline", "html", "report", "text"]

# What an output holds: below 200 kB, the rest is in the result.
_ROWS = 30
_PEEKS = 8
_PAIRS = 10
_THREADS = 8


def headline(result: ProfileResult) -> str:
    """Give a profile in one line."""
    return (
        f"{units.plural(result.calls, 'call')} of"
        f" {units.plural(len(result.functions), 'function')} in"
        f" {units.plural(len(result.threads), 'thread')},"
        f" {units.seconds(result.total_ns / 1e9)}"
    )


def text(result: ProfileResult) -> str:
    """Give pstats' table, and what is out of the ordinary below it."""
    lines = [report(result, result.sort, result.limits), *_warnings(result)]
    return "\n".join(lines)


def report(
    result: ProfileResult, sort: Sequence[str] = (), limits: Sequence[str] = ()
) -> str:
    """Give pstats' table as the built-in ``%prun`` does.

    Parameters
    ----------
    sort : sequence of str
        Keys of `pstats.Stats.sort_stats`.
    limits : sequence of str
        Each a number of lines, a share of them, or a regular expression.
    """
    stats = result.stats()
    stream = io.StringIO()
    stats.stream = stream  # type: ignore[attr-defined]
    if not stats.stats:  # type: ignore[attr-defined]
        return "         0 function calls in 0.000 seconds"
    stats.strip_dirs().sort_stats(*sort or ("tottime",))
    stats.print_stats(*map(_limit, limits))
    return stream.getvalue().rstrip()


def _limit(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _warnings(result: ProfileResult) -> list[str]:
    """Say what the tables do not tell."""
    warnings = []
    crowded = sum(thread.crowded for thread in result.threads)
    dropped = sum(thread.dropped for thread in result.threads) + result.unseen
    if result.interrupted:
        warnings.append(
            "ended early by an exception or Ctrl-C; this is what ran before"
        )
    if crowded:
        warnings.append(
            f"the tree was full: {units.plural(crowded, 'call')} counted by function only"
        )
    if dropped:
        warnings.append(
            f"{units.plural(dropped, 'call')} not recorded: too deep, or no memory"
        )
    if result.displaced:
        warnings.append(
            "another profiler took over in some thread, where calls are missing"
        )
    return warnings


@dataclass(frozen=True, slots=True)
class _Titled:
    title: str
    table: Table


@dataclass(frozen=True, slots=True)
class _Drawn:
    name: str
    picture: Picture | None


def html(result: ProfileResult) -> str:
    """Give the figures, the icicle of each thread, and tables in several orders."""
    from ..views.html import render

    table = rows(result)
    total = sum(row.self_ns for row in table.values()) or 1.0
    seconds, _, unit = units.seconds(result.total_ns / 1e9).partition(" ")
    return render(
        "prun/result.html.j2",
        result=result,
        figure=seconds,
        unit=unit,
        summary=f"{units.plural(result.calls, 'call')} of"
        f" {units.plural(len(table), 'function')} in"
        f" {units.plural(len(result.threads), 'thread')}",
        warnings=_warnings(result),
        threads=list(_drawings(result)),
        tables=_tables(table, total),
        peeks=_peeks(table, total),
        notes=_notes(result),
    )


def _drawings(result: ProfileResult) -> Iterator[_Drawn]:
    busiest = sorted(result.threads, key=lambda thread: -thread.total_ns)
    for thread in busiest[:_THREADS]:
        title = f"Calls of {thread.name}"
        yield _Drawn(thread.name, icicle(_blocks(result, thread), title=title))


def _blocks(result: ProfileResult, thread: Thread) -> list[Block]:
    """Make the icicle's blocks; a function that calls itself is one block."""
    tops: list[Block] = []
    # For each node, the block that it is part of, and that block's children by function.
    places: list[tuple[Block, dict[int, Any]]] = []
    top_children: dict[int, Any] = {}
    for index, function in enumerate(thread.function):
        parent = thread.parent[index]
        if parent >= 0 and thread.function[parent] == function:
            places.append(places[parent])
            continue
        if parent >= 0:
            above, children = places[parent]
            siblings = above.below
        else:
            children, siblings = top_children, tops
        if function not in children:
            called = result.functions[function]
            group = "" if called.native else called.file
            block = Block(_short(called.qualname), group, 0.0)
            siblings.append(block)
            children[function] = (block, {})
        place = children[function]
        place[0].value += thread.inclusive_ns[index]
        places.append(place)
    return tops


_METHOD = re.compile(r"<(?:slot wrapper|method) '(.+)' of '(.+)' objects>")
_BUILT_IN = re.compile(r"<built-in method (?:builtins\.)?(.+)>")


def _short(name: str) -> str:
    """Name a function in C as one writes it: ``len``, ``list.append``."""
    if match := _METHOD.fullmatch(name):
        return f"{match[2]}.{match[1]}"
    match = _BUILT_IN.fullmatch(name)
    return match[1] if match else name


_COLUMNS = (
    Column("calls", "right"),
    Column("self", "right"),
    Column("%", "right"),
    Column("total", "right"),
    Column("%", "right"),
    Column("self per call", "right"),
    Column("function", code=True),
    Column("where", code=True),
)

_ORDERS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("By own time", lambda row: -row.self_ns),
    ("By time with callees", lambda row: -row.total_ns),
    ("By calls", lambda row: -row.calls),
)


def _tables(table: dict[Label, Row], total: float) -> list[_Titled]:
    titled = []
    for title, order in _ORDERS:
        ordered = sorted(table.items(), key=lambda item: (order(item[1]), item[0]))
        cells = [_cells(label, row, total) for label, row in ordered[:_ROWS]]
        more = max(0, len(table) - _ROWS)
        titled.append(_Titled(title, Table(_COLUMNS, tuple(cells), more)))
    return titled


def _cells(label: Label, row: Pair, total: float) -> tuple[str, ...]:
    file, line, name = label
    calls = f"{row.calls:,}"
    if row.primitive != row.calls:
        calls += f"/{row.primitive:,}"
    return (
        calls,
        units.seconds(row.self_ns / 1e9),
        units.percent(row.self_ns / total),
        units.seconds(row.total_ns / 1e9),
        units.percent(row.total_ns / total),
        units.seconds(row.self_ns / 1e9 / max(row.calls, 1)),
        one_line(_short(name)),
        one_line("C" if file == "~" else f"{os.path.basename(file)}:{line}"),
    )


_PEEK_COLUMNS = (Column(""), *_COLUMNS[:1], *_COLUMNS[3:5], *_COLUMNS[6:])


def _peeks(table: dict[Label, Row], total: float) -> list[_Titled]:
    """Show who calls the functions that take most time, and whom they call."""
    callees: dict[Label, list[tuple[Label, Pair]]] = {label: [] for label in table}
    for label, row in table.items():
        for caller, pair in row.callers.items():
            callees[caller].append((label, pair))
    busiest = sorted(table, key=lambda label: (-table[label].self_ns, label))
    peeks = []
    for label in busiest[:_PEEKS]:
        pairs = [("called by", *pair) for pair in table[label].callers.items()]
        pairs += [("calls", *pair) for pair in callees[label]]
        pairs.sort(key=lambda pair: (pair[0] == "calls", -pair[2].total_ns))
        cells = []
        for word, other, pair in pairs[:_PAIRS]:
            calls, _, _, time, share, _, *names = _cells(other, pair, total)
            cells.append((word, calls, time, share, *names))
        title = one_line(_short(label[2]))
        more = max(0, len(pairs) - _PAIRS)
        peeks.append(_Titled(title, Table(_PEEK_COLUMNS, tuple(cells), more)))
    return peeks


def _notes(result: ProfileResult) -> list[Note]:
    inside, outside, native_inside, native_outside, *_ = result.costs_ns
    costs = "nothing"
    if any(result.costs_ns):
        costs = (
            f"{units.seconds(result.overhead_ns / 1e9)} in all:"
            f" {units.seconds((inside + outside) / 1e9)} a Python call,"
            f" {units.seconds((native_inside + native_outside) / 1e9)} a C call"
        )
    return [
        Note("subtracted", costs),
        Note("recorded for", units.seconds(result.wall_ns / 1e9)),
        Note("C functions", "recorded" if result.builtins else "not recorded"),
        Note("Python", result.python),
        Note("when", result.created),
    ]
