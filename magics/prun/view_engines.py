"""How a profile of several engines or workers is spread over them."""

from __future__ import annotations

from collections import defaultdict

from ..live.balance import Balance
from ..views import units
from ..views.names import one_line
from ..views.processes import balance_line, remote_table
from ..views.tables import Column, Hint, Table
from .result import ProfileResult
from .view_tables import Titled, short, where

__all__ = ["lines", "spread", "tables"]

_ROWS = 12

_COLUMNS = (
    Column("waited for", "right"),
    Column("minimum", "right"),
    Column("median", "right"),
    Column("maximum", "right"),
    Column("imbalance", "right"),
    Column("most in"),
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
    return sorted(found, key=lambda row: row[2].mean - row[2].maximum)


def lines(result: ProfileResult) -> list[str]:
    """Give the table of the processes and how even they are, as lines of text."""
    if not result.is_remote:
        return []
    times = _times(result)
    table = remote_table(result.processes, times).text()
    even = balance_line("time of each", times)
    return ["", table, *([even] if even else [])]


def tables(result: ProfileResult) -> list[Titled]:
    """Give the table of the processes, and that of the functions."""
    times = _times(result)
    title = balance_line("Time of each", times) or "Processes"
    shown = [Titled(title, remote_table(result.processes, times))]
    if len(times) > 1:
        shown.append(Titled("Own time by process", _functions(result)))
    return shown


def _times(result: ProfileResult) -> dict[str, float]:
    return {label: part.total_ns for label, part in result.by_process().items()}


def _functions(result: ProfileResult) -> Table:
    found = spread(result)
    rows: list[tuple[str | Hint, ...]] = []
    for place, calls, balance in found[:_ROWS]:
        function = result.functions[place]
        figures = (
            balance.maximum - balance.mean,
            balance.minimum,
            balance.median,
            balance.maximum,
        )
        rows.append(
            (
                *(units.seconds(figure / 1e9) for figure in figures),
                f"{balance.imbalance:.0%}",
                one_line(balance.most),
                f"{calls:,}",
                one_line(short(function.qualname)),
                where(function.file, function.line),
            )
        )
    return Table(_COLUMNS, tuple(rows), max(0, len(found) - _ROWS))
