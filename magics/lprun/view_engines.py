"""How a line profile of several engines is spread over them."""

from __future__ import annotations

from ..live.balance import Balance
from ..places import place_of
from ..views.engines import SPREAD, remote_lines, remote_tables, spread_cells
from ..views.names import one_line
from ..views.tables import Column, Table
from .result import Function, Line, LineResult

__all__ = ["lines", "spread", "tables"]

_ROWS = 12

_COLUMNS = (
    *SPREAD,
    Column("hits", "right"),
    Column("line"),
    Column("", code=True),
)


def spread(result: LineResult) -> list[tuple[Function, Line, Balance]]:
    """Say how each line's own time is spread over the engines that answered.

    Returns
    -------
    list of (Function, Line, Balance)
        ns an engine, 0 where the line did not run. First what the others wait most for:
        the most over the mean.
    """
    found: list[tuple[Function, Line, Balance]] = []
    labels = list(result.by_process())
    for function in result.functions:
        tables = function.threads or (function.lines,)
        times: dict[int, dict[str, float]] = {
            line.number: dict.fromkeys(labels, 0.0) for line in function.lines
        }
        for label, table in zip(result.process_of, tables, strict=False):
            for line in table:
                times[line.number][label] += line.self_ns
        found += [
            (function, line, Balance.of(times[line.number])) for line in function.lines
        ]
    return sorted(found, key=lambda row: -row[2].waited_for)


def lines(result: LineResult) -> list[str]:
    """Give the engines and how even they are, as lines of text."""
    return remote_lines(result.processes, _times(result)) if result.is_remote else []


def tables(result: LineResult) -> list[tuple[str, Table]]:
    """Give the table of the engines, and that of the lines, with their titles."""
    if not result.is_remote:
        return []
    return remote_tables(
        result.processes, _times(result), ("Own time by process", _lines(result))
    )


def _times(result: LineResult) -> dict[str, float]:
    return {label: part.self_ns for label, part in result.by_process().items()}


def _lines(result: LineResult) -> Table:
    found = spread(result)
    rows = [
        (
            *spread_cells(balance),
            f"{line.hits:,}",
            one_line(place_of(function.file, line.number)),
            one_line(function.text(line.number).strip()),
        )
        for function, line, balance in found[:_ROWS]
    ]
    return Table(_COLUMNS, tuple(rows), max(0, len(found) - _ROWS))
