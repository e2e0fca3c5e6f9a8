"""What counting costs: of an allocation with its free, and of a line."""

from __future__ import annotations

import gc
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .timing import seconds

NUMBER = 200_000


def objects_kept() -> object:
    kept: list[object] = []
    keep = kept.append
    for number in range(NUMBER):
        keep([number])
    return kept


def objects_dropped() -> None:
    for _ in range(NUMBER):
        bytearray(100)


def texts() -> None:
    for number in range(NUMBER):
        f"{number} and more"


def arrays() -> None:
    import numpy as np

    values = np.ones(10)
    for _ in range(NUMBER // 10):
        values + 1


class Tracing:
    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __enter__(self) -> None:
        tracemalloc.start(self.frames)

    def __exit__(self, *exception: object) -> None:
        tracemalloc.stop()


def memray_tracker() -> Any:
    import memray

    folder = tempfile.mkdtemp()
    return memray.Tracker(Path(folder) / "x.bin", trace_python_allocators=True)


def allocations(turns: int) -> None:
    from nbprobe import _core
    from nbprobe._core import Allocations

    levels = [
        _core.ALLOCATIONS_COUNTS,
        _core.ALLOCATIONS_EXACT,
        _core.ALLOCATIONS_SITES,
    ]
    modes: dict[str, Callable[[], Any]] = {
        "counts": lambda: Allocations(levels[0]),
        "exact": lambda: Allocations(levels[1]),
        "by line": lambda: Allocations(levels[2]),
        "10 frames": lambda: Allocations(levels[2], frames=10),
        "tracemalloc 1": lambda: Tracing(1),
        "tracemalloc 25": lambda: Tracing(25),
        "memray": memray_tracker,
    }
    print(
        f"\nns an allocation (with its free, where it is freed), fastest of {turns} turns"
    )
    print(f"{'':18}{'blocks':>9}{'plain':>7}" + "".join(f"{m:>15}" for m in modes))
    gc.disable()
    for work in (objects_kept, objects_dropped, texts, arrays):
        with Allocations(levels[0]) as counted:
            work()
        best = {name: float("inf") for name in ["plain", *modes]}
        for _ in range(turns):
            for name in best:
                if name.startswith("tracemalloc 25") and best[name] < float("inf"):
                    continue
                best[name] = min(best[name], _timed(work, modes.get(name)))
        blocks = counted.allocations
        row = f"{work.__name__:18}{blocks:>9,}{best['plain'] / blocks:>7.1f}"
        for name in modes:
            row += f"{(best[name] - best['plain']) / blocks:>15.1f}"
        print(row, flush=True)
        ratio = (best["tracemalloc 1"] - best["plain"]) / max(
            1.0, best["by line"] - best["plain"]
        )
        print(
            f"{'':18}tracemalloc with one frame costs {ratio:.1f} times as much as by line"
        )
    gc.enable()


def _timed(work: Callable[[], object], mode: Callable[[], Any] | None) -> float:
    if mode is None:
        started = time.perf_counter_ns()
        result = work()
        ended = time.perf_counter_ns()
    else:
        with mode():
            started = time.perf_counter_ns()
            result = work()
            ended = time.perf_counter_ns()
    del result
    return ended - started


LINES = 100_000


def counting(number: int) -> int:
    total = 0
    for step in range(number):
        total += step
    return total


def lines(turns: int) -> None:
    """Two lines in a loop, as %mprun measures them."""
    from nbprobe._core import LineEngine

    def ours(resident: bool) -> float:
        engine = LineEngine(memory=True, resident=resident)
        engine.add(counting)
        engine.start()
        try:
            return seconds(lambda: counting(LINES // 2))[0]
        finally:
            engine.stop()

    def theirs() -> float:
        from memory_profiler import LineProfiler

        profiler = LineProfiler()
        measured = profiler(counting)
        # It takes a thousand times as long.
        return seconds(lambda: measured(LINES // 200))[0] * 100

    modes: dict[str, Callable[[], float]] = {
        "plain": lambda: seconds(lambda: counting(LINES // 2))[0],
        "ours": lambda: ours(False),
        "ours, resident": lambda: ours(True),
        "memory_profiler": theirs,
    }
    best = {name: float("inf") for name in modes}
    for _ in range(turns):
        for name, mode in modes.items():
            best[name] = min(best[name], mode())
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    reading = min(
        seconds(lambda: [os.pread(statm, 100, 0) for _ in range(1000)])[0]
        for _ in range(turns)
    )
    os.close(statm)
    print(f"\nns a line above a plain run, fastest of {turns} turns")
    print(f"{'reading statm':18}{reading * 1e6:>10.0f}  a part of the resident one")
    added = {name: (best[name] - best["plain"]) / LINES * 1e9 for name in [*modes][1:]}
    for name, cost_ns in added.items():
        ratio = added["memory_profiler"] / cost_ns
        print(
            f"{name:18}{cost_ns:>10.0f}  memory_profiler costs {ratio:.0f} times that"
        )
