"""What code does to memory.

`memory_usage`, `TimeStamper` and `LogFile` take what memory_profiler's take;
``import nbprobe.memit as memory_profiler`` is all that has to change, and
``import nbprobe.memit as tracemalloc`` for those who count with that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from tracemalloc import BaseFilter, DomainFilter, Filter
from typing import Any

from .. import load_ipython_extension, unload_ipython_extension
from .processes import ProcessError
from .profiler import LineProfiler, profile, show_results
from .recording import Course, Recording, Span
from .result import Change, Kind, MemoryResult, Place, Run, Site, Survivor
from .snapshots import (
    Frame,
    Snapshot,
    Statistic,
    StatisticDiff,
    Traceback,
    clear_traces,
    get_object_traceback,
    get_traceback_limit,
    get_traced_memory,
    is_tracing,
    reset_peak,
    snapshot,
    start,
    stop,
    take_snapshot,
)
from .stamps import TimeStamper
from .usage import LogFile, memory_usage

__all__ = [
    "BaseFilter",
    "Change",
    "Course",
    "DomainFilter",
    "Filter",
    "Frame",
    "Kind",
    "LineProfiler",
    "LogFile",
    "MemoryResult",
    "Place",
    "ProcessError",
    "Recording",
    "Run",
    "Site",
    "Snapshot",
    "Span",
    "Statistic",
    "StatisticDiff",
    "Survivor",
    "TimeStamper",
    "Traceback",
    "allocated",
    "clear_traces",
    "get_object_traceback",
    "get_traceback_limit",
    "get_traced_memory",
    "is_tracing",
    "load_ipython_extension",
    "main",
    "measure",
    "memory_usage",
    "profile",
    "reset_peak",
    "show_results",
    "snapshot",
    "start",
    "stop",
    "take_snapshot",
    "unload_ipython_extension",
]


def measure(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> MemoryResult:
    """Measure what one call of a function does to memory.

    Parameters
    ----------
    func : callable
        It is called once, with the arguments that follow.

    Returns
    -------
    MemoryResult
        Among others `peak_rss` and `increment_rss`, resident memory at its highest and
        above the beginning; `allocated_bytes` in `allocations` blocks, `peak_allocated`
        of them at once, and `retained_bytes` that were not freed. All in bytes. What the
        function returns is let go before the end.

    Raises
    ------
    BaseException
        Whatever the function raises.

    Notes
    -----
    Allocated bytes are those that Python's allocators were asked for, in every thread, exact
    to the byte. Objects that the interpreter takes from its free lists are no allocations.
    The resident peak is the kernel's high-water mark (proc_pid_status(5), VmHWM).

    Examples
    --------
    >>> result = measure(bytes, 1000)
    >>> result.allocated_bytes, result.allocations, result.retained_bytes
    (1033, 1, 0)
    """
    from .engine import measure_call

    return measure_call(func, args, kwargs)


def main() -> int:
    """Run a program: the command line of ``python -m memory_profiler``."""
    from ..commands import memit as command

    return command.main(sys.argv[1:])


def allocated(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> int:
    """Give the bytes that one call of a function allocates; to be asserted in tests.

    Examples
    --------
    >>> allocated(bytearray, 999)
    1056
    """
    return measure(func, *args, **kwargs).allocated_bytes
