"""The processes of a profile: each one's share, and when it ran, as a table with bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..live.processes import STATES, Process
from . import units
from .colours import BLUE, ORANGE
from .drawing import Picture, picture, rect
from .names import one_line
from .tables import Column, Table

__all__ = ["process_table", "state_of"]

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
    state = state_of(process) if process is not None else ""
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


def state_of(process: Process) -> str:
    """Say what became of a process, and why."""
    state = STATES[process.state]
    return f"{state}: {one_line(process.note)}" if process.note else state


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
