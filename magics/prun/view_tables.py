"""The tables that profiles of both kinds are shown with: functions, callers, callees."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..places import place_of
from ..views import units
from ..views.names import one_line
from ..views.tables import Column, Hint, Table
from .pairs import Label, LabelRow, Pair

__all__ = [
    "Peek",
    "Titled",
    "allocation_table",
    "function_tables",
    "peeks",
    "share",
    "short",
    "where",
]

# What an output holds: below 200 kB, the rest is in the result.
_ROWS = (30, 15, 15)  # of the tables, in each order
_PEEKS = 8
_PAIRS = 10


@dataclass(frozen=True, slots=True)
class Titled:
    """A table under its heading."""

    title: str
    table: Table


@dataclass(frozen=True, slots=True)
class Peek:
    """A function, who calls it, what it calls, and its text."""

    title: str
    where: str
    table: Table
    source: str
    note: str


_METHOD = re.compile(r"<(?:slot wrapper|method) '(.+)' of '(.+)' objects>")
# Of a method of a type cProfile tells the address, which says nothing to anybody.
_BUILT_IN = re.compile(
    r"<built-in method (?:builtins\.)?(.+?)(?: of type object at 0x[0-9a-f]+)?>"
)


def short(name: str) -> str:
    """Name a function in C as one writes it: ``len``, ``list.append``."""
    if match := _METHOD.fullmatch(name):
        return f"{match[2]}.{match[1]}"
    match = _BUILT_IN.fullmatch(name)
    return match[1] if match else name


def where(file: str, line: int) -> Hint:
    """Give a place in short, with the full path for the mouse."""
    if file == "~":
        return Hint("C" if not line else str(line), "")
    return Hint(one_line(place_of(file, line)), one_line(f"{file}:{line}", 300))


def share(time: float, total: float) -> str:
    """Give a time as a share of the whole."""
    return units.percent(time / total) if total > 0 else ""


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

# Gives the error of a share, where calls were sampled and not counted.
Margin = Callable[[float], str]


def _columns(margin: Margin | None) -> tuple[Column, ...]:
    if margin is None:
        return _COLUMNS
    names = _COLUMNS[6:]
    return (
        Column("samples", "right"),
        *_COLUMNS[1:5],
        Column("± of self", "right"),
        *names,
    )


_ORDERS: tuple[tuple[str, Callable[[LabelRow], float]], ...] = (
    ("By own time", lambda row: -row.self_ns),
    ("By time with callees", lambda row: -row.total_ns),
    ("By calls", lambda row: -row.calls),
)


def function_tables(
    table: Mapping[Label, LabelRow],
    names: Mapping[Label, str],
    orders: int = 3,
    margin: Margin | None = None,
) -> list[Titled]:
    """Give the functions in several orders.

    Parameters
    ----------
    table : mapping
        The functions.
    names : mapping
        What each is called.
    orders : int
        How many orders: own time, time with callees, calls.
    margin : callable, optional
        Gives the error of a share, when calls are samples.
    """
    total = sum(row.self_ns for row in table.values())
    titled = []
    for (title, order), limit in zip(_ORDERS[:orders], _ROWS, strict=False):
        # By its own variable, because the loop goes on.
        ordered = sorted(table, key=lambda label, by=order: (by(table[label]), label))  # type: ignore[misc]
        cells = [
            _cells(label, names[label], table[label], total, margin)
            for label in ordered[:limit]
        ]
        more = max(0, len(table) - limit)
        titled.append(Titled(title, Table(_columns(margin), tuple(cells), more)))
    return titled


_ALLOCATED = (
    Column("allocated", "right"),
    Column("%", "right"),
    Column("blocks", "right"),
    Column("a call", "right"),
    Column("calls", "right"),
    *_COLUMNS[6:],
)


def allocation_table(
    table: Mapping[Label, LabelRow], names: Mapping[Label, str]
) -> Titled:
    """Give the functions by what they allocated themselves, callees excluded."""
    total = sum(row.size for row in table.values())
    limit = _ROWS[1]
    busiest = sorted(
        (label for label in table if table[label].blocks),
        key=lambda label: (-table[label].size, label),
    )
    cells = [
        (
            units.memory(row.size),
            share(row.size, total),
            f"{row.blocks:,}",
            units.memory(round(row.size / max(row.calls, 1))),
            _counted(row),
            one_line(short(names[label])),
            where(*label[:2]),
        )
        for label in busiest[:limit]
        for row in [table[label]]
    ]
    more = max(0, len(busiest) - limit)
    return Titled("By allocations", Table(_ALLOCATED, tuple(cells), more))


def _counted(row: Pair) -> str | Hint:
    """Give the calls; of a recursion also those from outside, as pstats does."""
    calls = f"{row.calls:,}"
    if row.primitive != row.calls:
        calls += f"/{row.primitive:,}"
    if not row.resumes:
        return calls
    return Hint(calls, f"and {units.plural(row.resumes, 'resumption')}")


def _cells(
    label: Label, name: str, row: Pair, total: float, margin: Margin | None
) -> tuple[str | Hint, ...]:
    file, line, _ = label
    calls: str | Hint = f"{row.calls:,}"
    last = units.seconds(row.self_ns / 1e9 / max(row.calls, 1))
    if margin is not None:
        # Samples that met it several times, in a recursion, count once.
        calls = f"{row.primitive:,}"
        last = margin(row.self_ns / total if total > 0 else 0.0)
    else:
        calls = _counted(row)
    return (
        calls,
        units.seconds(row.self_ns / 1e9),
        share(row.self_ns, total),
        units.seconds(row.total_ns / 1e9),
        share(row.total_ns, total),
        last,
        one_line(short(name)),
        where(file, line),
    )


def peeks(
    table: Mapping[Label, LabelRow],
    names: Mapping[Label, str],
    margin: Margin | None = None,
) -> list[Peek]:
    """Show who calls the functions that take most time, whom they call, and their text."""
    total = sum(row.self_ns for row in table.values())
    callees: dict[Label, list[tuple[Label, Pair]]] = {label: [] for label in table}
    for label, row in table.items():
        for caller, pair in row.callers.items():
            callees.setdefault(caller, []).append((label, pair))
    busiest = sorted(table, key=lambda label: (-table[label].self_ns, label))
    columns = _columns(margin)
    columns = (Column(""), columns[0], *columns[3:5], *columns[6:])
    found = []
    for label in busiest[:_PEEKS]:
        pairs = [("called by", *pair) for pair in table[label].callers.items()]
        pairs += [("calls", *pair) for pair in callees[label]]
        pairs.sort(key=lambda pair: (pair[0] == "calls", -pair[2].total_ns))
        cells = []
        for word, other, pair in pairs[:_PAIRS]:
            calls, _, _, time, percent, _, *rest = _cells(
                other, names[other], pair, total, margin
            )
            cells.append((word, calls, time, percent, *rest))
        file, line, _ = label
        source, note = _source(label, names[label])
        found.append(
            Peek(
                title=one_line(short(names[label])),
                where="" if file == "~" else one_line(f"{file}:{line}", 300),
                table=Table(columns, tuple(cells), max(0, len(pairs) - _PAIRS)),
                source=source,
                note=note,
            )
        )
    return found


def _source(label: Label, name: str) -> tuple[str, str]:
    """Find the text of a function, as far as it can still be had, and what is wrong with it."""
    file, line, plain = label
    if file == "~" or plain == "<module>":
        return "", ""
    from ..source import source_at

    found = source_at(file, line, name)
    return "\n".join(_dedented(found.lines)), found.note


def _dedented(lines: Sequence[str]) -> list[str]:
    indents = [len(text) - len(text.lstrip()) for text in lines if text.strip()]
    return [text[min(indents, default=0) :] for text in lines]
