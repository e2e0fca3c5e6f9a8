"""What recording costs, on a processor that is now faster and now slower.

Where two hyperthreads share a core, or its clock follows heat and load, all code takes up
to twice as long for seconds or minutes. So costs are found together with the pace of the
processor, how long a fixed piece of work in C takes (`_core.pace_ns`), and are scaled by
the pace at which something was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from ._core import pace_ns

__all__ = ["per_pace"]


def per_pace(
    turn: Callable[[], tuple[float, ...]], repeats: int
) -> tuple[tuple[float, ...], float]:
    """Take what a short piece of work takes in units of the pace.

    Parameters
    ----------
    turn : callable
        Gives times in ns, differences of runs that follow on each other.
    repeats : int
        How often it is called.

    Returns
    -------
    times : tuple of float
        Medians, each divided by the pace.
    pace : float
        That of these turns, ns.

    Notes
    -----
    The half of the turns during which the pace changed most is left out: the processor
    was shared anew in the midst of them, or something interrupted them.
    """
    found = []
    for _ in range(repeats):
        before = pace_ns()
        times = turn()
        after = pace_ns()
        found.append(
            (abs(after - before) / (after + before), (after + before) / 2, times)
        )
    steady = sorted(found)[: (repeats + 1) // 2]
    columns = zip(
        *([time / pace for time in times] for _, pace, times in steady), strict=True
    )
    return (
        tuple(median(column) for column in columns),
        median(pace for _, pace, _ in steady),
    )
