"""Time by line: probes in the code of the functions that are measured.

The names and their meaning are line_profiler's, so that changing one import is all.

Examples
--------
>>> from nbprobe.lprun import LineProfiler
>>> def work():
...     return sum(range(10))
>>> profile = LineProfiler(work)
>>> profile.runcall(work)
45
>>> profile.result().hits
1
"""

from __future__ import annotations

from typing import Any

from .profiler import LineProfiler
from .result import Function, Line, LineResult
from .scoping import ScopingPolicy
from .stats import LineStats, load_stats
from .text import show_func, show_text

__all__ = [
    "Function",
    "GlobalProfiler",
    "Line",
    "LineProfiler",
    "LineResult",
    "LineStats",
    "ScopingPolicy",
    "load_stats",
    "profile",
    "show_func",
    "show_text",
]


def __getattr__(name: str) -> Any:
    # The decorator reads its configuration, which a profile in a notebook has none of.
    if name in ("GlobalProfiler", "profile"):
        from . import explicit

        return getattr(explicit, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
