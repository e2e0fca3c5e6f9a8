"""Count allocations in a child process of the one that is measured."""

from __future__ import annotations

import builtins
import functools
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any

from .._core import ALLOCATIONS_EXACT, Allocations
from . import processes
from .result import MemoryResult, Run

__all__ = ["MemoryRecorder"]


class MemoryRecorder:
    """What a process allocates from its start to its end.

    Parameters
    ----------
    options : dict
        ``native``: count what libraries allocate themselves; ``profile``: have the
        program find a decorator of that name, whose lines are not measured here.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._native = bool(options["native"])
        self._counted = Allocations(ALLOCATIONS_EXACT, native=self._native)
        self._start_rss = processes.resident(os.getpid()).now
        self._since = perf_counter_ns()
        if options["profile"] and not hasattr(builtins, "profile"):
            vars(builtins)["profile"] = _unmeasured

    def start(self) -> None:
        """Begin to count."""
        self._counted.start()

    def stop(self) -> None:
        """End the counting; the figures stay."""
        self._counted.stop()

    def close(self) -> None:
        """Leave nothing switched on: nothing is."""

    def abandon(self) -> None:
        """In a fork: what was counted is the parent's."""
        self.stop()

    def result(self, ignored_threads: frozenset[int]) -> MemoryResult:
        """Give what was counted so far as one run; our own thread is left out anyway."""
        counted = self._counted
        now = processes.resident(os.getpid())
        run = Run(
            start_rss=self._start_rss,
            peak_rss=now.peak,
            end_rss=now.now,
            allocated_bytes=counted.allocated_bytes,
            allocations=counted.allocations,
            freed_bytes=counted.freed_bytes,
            frees=counted.frees,
            peak_allocated=counted.peak_bytes,
            native_bytes=counted.native_bytes,
            native_allocations=counted.native_allocations,
            wall_ns=perf_counter_ns() - self._since,
            collections=0,
        )
        return MemoryResult(
            statement="",
            setup="",
            label="",
            runs=(run,),
            samples=(),
            places=(),
            sites=(),
            kept=(),
            survivors=(),
            native=self._native,
            include_children=False,
            resident_how="the kernel's own figure",
            exact=True,
            notes=(counted.note,) if counted.note else (),
            repeat=1,
            timeout=0.0,
            interval=0.0,
            interrupted=False,
            python=platform.python_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _unmeasured(func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Stand for `profile`, with or without arguments."""
    return functools.partial(_unmeasured, **options) if func is None else func
