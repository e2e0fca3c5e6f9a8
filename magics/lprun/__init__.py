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

import sys
from typing import Any

from .. import load_ipython_extension, unload_ipython_extension
from .._core import __version__
from .profiler import LineProfiler
from .result import Function, Line, LineResult
from .scoping import ScopingPolicy
from .stats import LineStats, load_stats
from .text import get_code_block, is_generated_code, show_func, show_text

__all__ = [
    "Function",
    "GlobalProfiler",
    "Line",
    "LineProfiler",
    "LineResult",
    "LineStats",
    "ScopingPolicy",
    "__version__",
    "get_code_block",
    "is_generated_code",
    "load_ipython_extension",
    "load_stats",
    "main",
    "profile",
    "show_func",
    "show_text",
    "unload_ipython_extension",
]


def main() -> None:
    """Show line profiles: the command line of ``python -m line_profiler``."""
    from ..commands import lprun as command

    if code := command.show(sys.argv[1:]):
        raise SystemExit(code)


def __getattr__(name: str) -> Any:
    # The decorator reads its configuration, which a profile in a notebook has none of.
    if name in ("GlobalProfiler", "profile"):
        from . import explicit

        return getattr(explicit, name)
    if name == "line_profiler":
        # Where line_profiler's own module of that name has its classes.
        return sys.modules[__name__]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
