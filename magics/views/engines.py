"""The engines or workers of a profile: how even they are, as tables with bars.

Where one takes longer than the others, these wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..live.balance import Balance
from ..live.processes import Process
from . import units
from .colours import BLUE, GREY, ORANGE
from .drawing import Picture, picture, rect
from .names import one_line
from .processes import balance_line, state_of
from .tables import Column, Hint, Table

__all__ = [
    "SPREAD",
    "beside_mean",
    "remote_lines",
    "remote_tables",
    "spread_cells",
]

# So much above the mean, a process is one that the others wait for.
_LATE = 0.1

_WIDTH = 160
_HEIGHT = 12

_REMOTE = (
    Column("process"),
    Column("host"),
    Column("pid", "right"),
    Column("time", "right"),
    Column("beside the mean", "right"),
    Column("the line is the mean"),
    Column("state"),
)


#: How the times of one function or line are spread, for the columns of a table.
SPREAD = (
    Column("waited for", "right"),
    Column("minimum", "right"),
    Column("median", "right"),
    Column("maximum", "right"),
    Column("imbalance", "right"),
    Column("most in"),
)


def spread_cells(balance: Balance) -> tuple[str | Hint, ...]:
    """Give the cells of `SPREAD`; the balance is of times, ns."""
    figures = (
        balance.waited_for,
        balance.minimum,
        balance.median,
        balance.maximum,
    )
    return (
        *(units.seconds(figure / 1e9) for figure in figures),
        f"{balance.imbalance:.0%}",
        one_line(balance.most),
    )


def remote_lines(
    processes: Sequence[Process], times_ns: Mapping[str, float]
) -> list[str]:
    """Give the table of the processes, and how even they are, as lines of text."""
    even = balance_line("time of each", times_ns)
    table = remote_table(processes, times_ns).text()
    return ["", table, *([even] if even else [])]


def remote_tables(
    processes: Sequence[Process],
    times_ns: Mapping[str, float],
    spread: tuple[str, Table],
) -> list[tuple[str, Table]]:
    """Give the table of the processes and a further one, each with its title."""
    title = balance_line("Time of each", times_ns) or "Processes"
    tables = [(title, remote_table(processes, times_ns))]
    return [*tables, spread] if len(times_ns) > 1 else tables


def remote_table(processes: Sequence[Process], times_ns: Mapping[str, float]) -> Table:
    """Make one row an engine or worker, the slowest first.

    Parameters
    ----------
    processes : sequence of Process
        All that were asked.
    times_ns : mapping of str to float
        What each that answered measured, by its label, ns.
    """
    balance = Balance.of(times_ns) if times_ns else None
    ordered = sorted(processes, key=lambda process: -times_ns.get(process.label, -1.0))
    rows = [_remote_row(each, times_ns.get(each.label), balance) for each in ordered]
    return Table.capped(_REMOTE, rows, len(rows))


def _remote_row(
    process: Process, time_ns: float | None, balance: Balance | None
) -> tuple[str | Picture, ...]:
    time = beside = ""
    if time_ns is not None and balance is not None and balance.mean > 0:
        time = units.seconds(time_ns / 1e9)
        beside = f"{time_ns / balance.mean - 1:+.0%}"
    return (
        one_line(process.label),
        one_line(process.host),
        str(process.pid) if process.pid else "",
        time,
        beside,
        beside_mean(time_ns, balance, time),
        state_of(process),
    )


def beside_mean(figure: float | None, balance: Balance | None, amount: str) -> Picture:
    """Draw one process's figure as a bar, with the mean of all as a line.

    Parameters
    ----------
    figure : float or None
        None for one that has none.
    balance : Balance or None
        Of all figures.
    amount : str
        The figure in words.
    """
    if figure is None or balance is None or balance.mean <= 0 or figure < 0:
        return picture([], "no figures", _WIDTH, _HEIGHT)
    length = figure / balance.maximum * (_WIDTH - 1)
    mean = balance.mean / balance.maximum * (_WIDTH - 1)
    colour = ORANGE if figure >= (1 + _LATE) * balance.mean else BLUE
    bar = rect(0, 1, max(1.0, length), _HEIGHT - 3, f"fill='{colour}'")
    line = rect(mean, 0, 1, _HEIGHT, f"fill='{GREY}'")
    alt = f"{amount}, {figure / balance.mean - 1:+.0%} beside the mean"
    return picture([bar, line], alt, _WIDTH, _HEIGHT)
