"""The processes of a profile, as a table with bars.

Of children: each one's share, and when it ran. Of engines and workers: how far each is from
the mean, because the others wait for the slowest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..live.balance import Balance
from ..live.processes import STATES, Process
from . import units
from .colours import BLUE, GREY, ORANGE
from .drawing import Picture, picture, rect
from .names import one_line
from .tables import Column, Table

__all__ = ["balance_line", "process_table", "remote_table"]

# So much above the mean, a process is one that the others wait for.
_LATE = 0.1

_WIDTH = 160
_HEIGHT = 12

_COLUMNS = (
    Column("process"),
    Column("time", "right"),
    Column("%", "right"),
    Column("share"),
    Column("when"),
    Column("messages", "right"),
    Column("state"),
)


def process_table(
    processes: Sequence[Process], times_ns: Mapping[str, float], wall_ns: int
) -> Table:
    """Make one row a process, the profiled one first, then by their time.

    Parameters
    ----------
    processes : sequence of Process
        The child processes.
    times_ns : mapping of str to float
        What each measured, by its label, ns; that of the profiled process is ``''``.
    wall_ns : int
        How long the profile ran: the width of the bars that show when.
    """
    total = sum(times_ns.values()) or 1.0
    longest = max(times_ns.values(), default=0.0) or 1.0
    rows = [_row("this process", times_ns.get("", 0.0), total, longest, None, wall_ns)]
    for process in sorted(
        processes, key=lambda process: -times_ns.get(process.label, 0.0)
    ):
        time_ns = times_ns.get(process.label, 0.0)
        rows.append(_row(process.label, time_ns, total, longest, process, wall_ns))
    return Table.capped(_COLUMNS, rows, len(rows))


def _row(
    label: str,
    time_ns: float,
    total: float,
    longest: float,
    process: Process | None,
    wall_ns: int,
) -> tuple[str | Picture, ...]:
    share = units.percent(time_ns / total)
    since, until = (process.since_ns, process.until_ns) if process else (0, wall_ns)
    state = _state(process) if process is not None else ""
    return (
        one_line(label),
        units.seconds(time_ns / 1e9),
        share,
        _bar(0.0, time_ns / longest, BLUE, f"{share} of all time"),
        _bar(
            since / max(wall_ns, 1),
            until / max(wall_ns, 1),
            ORANGE,
            f"from {units.seconds(since / 1e9)} to {units.seconds(until / 1e9)}",
        ),
        str(process.snapshots) if process else "",
        state,
    )


def _state(process: Process) -> str:
    state = STATES[process.state]
    return f"{state}: {one_line(process.note)}" if process.note else state


_REMOTE = (
    Column("process"),
    Column("host"),
    Column("pid", "right"),
    Column("time", "right"),
    Column("beside the mean", "right"),
    Column("the line is the mean"),
    Column("state"),
)


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
    drawn = picture([], "no figures", _WIDTH, _HEIGHT)
    if time_ns is not None and balance is not None and balance.mean > 0:
        time = units.seconds(time_ns / 1e9)
        beside = f"{time_ns / balance.mean - 1:+.0%}"
        is_late = time_ns >= (1 + _LATE) * balance.mean
        drawn = _beside_mean(
            time_ns / balance.maximum,
            balance.mean / balance.maximum,
            ORANGE if is_late else BLUE,
            f"{time}, {beside} beside the mean",
        )
    return (
        one_line(process.label),
        one_line(process.host),
        str(process.pid) if process.pid else "",
        time,
        beside,
        drawn,
        _state(process),
    )


def _beside_mean(length: float, mean: float, colour: str, alt: str) -> Picture:
    bar = rect(0, 1, max(1.0, length * (_WIDTH - 1)), _HEIGHT - 3, f"fill='{colour}'")
    line = rect(mean * (_WIDTH - 1), 0, 1, _HEIGHT, f"fill='{GREY}'")
    return picture([bar, line], alt, _WIDTH, _HEIGHT)


def balance_line(what: str, times_ns: Mapping[str, float]) -> str:
    """Say in one line how times are spread; empty for fewer than two."""
    if len(times_ns) < 2:
        return ""
    balance = Balance.of(times_ns)
    low, middle, high = (
        units.seconds(value / 1e9)
        for value in (balance.minimum, balance.median, balance.maximum)
    )
    return (
        f"{what}: {low} at the least, {middle} median, {high} at the most"
        f" ({one_line(balance.most)}), imbalance {balance.imbalance:.0%}"
    )


def _bar(start: float, end: float, colour: str, alt: str) -> Picture:
    start = min(max(start, 0.0), 1.0)
    end = min(max(end, start), 1.0)
    frame = rect(0, _HEIGHT - 1, _WIDTH, 1, f"fill='{colour}' opacity='0.3'")
    bar = rect(
        start * (_WIDTH - 1),
        1,
        max(1.0, (end - start) * (_WIDTH - 1)),
        _HEIGHT - 3,
        f"fill='{colour}'",
    )
    return picture([frame, bar] if end > start else [frame], alt, _WIDTH, _HEIGHT)
