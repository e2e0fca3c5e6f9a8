"""How a profile of several engines or workers is spread over them."""

from __future__ import annotations

from collections import defaultdict

from ..live.balance import Balance
from ..views.engines import SPREAD, remote_lines, remote_tables, spread_cells
from ..views.names import one_line
from ..views.tables import Column, Table
from .result import ProfileResult
from .view_tables import short, where

__all__ = ["lines", "spread", "tables"]

_ROWS = 12

_COLUMNS = (
    *SPREAD,
    Column("calls", "right"),
    Column("function", code=True),
    Column("where"),
)


def spread(result: ProfileResult) -> list[tuple[int, int, Balance]]:
    """Say how each function's own time is spread over the processes that answered.

    Returns
    -------
    list of (function, calls, Balance)
        Index and calls of each function; ns a process, 0 where it was not called. First
        what the others wait most for: the most over the mean.
    """
    labels = list(result.by_process())
    times: dict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(labels, 0.0))
    calls: dict[int, int] = defaultdict(int)
    for thread in result.threads:
        for place, count, own in zip(
            thread.function, thread.calls, thread.self_ns, strict=True
        ):
            times[place][thread.process] += own
            calls[place] += count
    found = [(place, calls[place], Balance.of(own)) for place, own in times.items()]
    return sorted(found, key=lambda row: -row[2].waited_for)


def lines(result: ProfileResult) -> list[str]:
    """Give the processes and how even they are, as lines of text."""
    return remote_lines(result.processes, _times(result)) if result.is_remote else []


def tables(result: ProfileResult) -> list[tuple[str, Table]]:
    """Give the table of the processes, and that of the functions, with their titles."""
    if not result.is_remote:
        return []
    own = "Own time by process", _functions(result)
    return remote_tables(result.processes, _times(result), own)


def _times(result: ProfileResult) -> dict[str, float]:
    return {label: part.total_ns for label, part in result.by_process().items()}


def _functions(result: ProfileResult) -> Table:
    found = spread(result)
    rows = []
    for place, calls, balance in found[:_ROWS]:
        function = result.functions[place]
        rows.append(
            (
                *spread_cells(balance),
                f"{calls:,}",
                one_line(short(function.qualname)),
                where(function.file, function.line),
            )
        )
    return Table(_COLUMNS, tuple(rows), max(0, len(found) - _ROWS))
