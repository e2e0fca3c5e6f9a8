"""What the live display costs a run: the same work with and without it, in turns.

What it costs to follow child processes comes after it: bench_children.py; and what a profile
on a cluster does: bench_engines.py.

The work counts what it does in a second of its own processor time, so that neighbours on
the machine do not decide. `plain` twice shows how far two equal runs are apart.

Usage: python bench_live.py [--turns N] [--seconds S]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
from time import perf_counter, process_time, thread_time

import bench_children
import bench_engines

from nbprobe._core import ALLOCATIONS_SITES, Allocations
from nbprobe.live import view
from nbprobe.live.display import Live
from nbprobe.live.progress import NOTHING, Progress

try:
    from pyinstrument import Profiler as Pyinstrument
except ImportError:
    Pyinstrument = None


class Rendered:
    """Does all that a notebook's display does, but for the socket."""

    def __init__(self) -> None:
        self.updates = 0

    def begin(self) -> None:
        view.html("", NOTHING)

    def show(self, magic: str, progress: Progress) -> None:
        view.text(magic, progress)
        view.html(magic, progress)
        self.updates += 1

    def end(self, note: str) -> None:
        pass


def step(number: int) -> int:
    return sum(i * i for i in range(number))


def work(seconds: float) -> tuple[float, float]:
    """Steps a second of the clock, and a second of this thread's processor time."""
    steps = 0
    wall, cpu = perf_counter(), thread_time()
    while perf_counter() - wall < seconds:
        step(200)
        steps += 1
    return steps / (perf_counter() - wall), steps / (thread_time() - cpu)


def with_live(seconds: float) -> tuple[float, float]:
    with Live("%prun", Rendered(), 0.0):
        return work(seconds)


def cost_of_threads(seconds: float) -> tuple[float, float]:
    """Processor time of the display's threads, and of the drawing alone, by elapsed time.

    Neighbours do not disturb it: it is what the kernel has booked for them.
    """
    drawn = []

    class Timed(Rendered):
        def show(self, magic: str, progress: Progress) -> None:
            begin = thread_time()
            super().show(magic, progress)
            drawn.append(thread_time() - begin)

    with Live("%prun", Timed(), 0.0):
        whole, own, wall = process_time(), thread_time(), perf_counter()
        work(seconds)
        spent = (process_time() - whole) - (thread_time() - own)
        elapsed = perf_counter() - wall
    return spent / elapsed, sum(drawn) / elapsed


def counted(seconds: float) -> tuple[float, float]:
    """As %memit runs it: every allocation is counted, with its place."""
    with Allocations(ALLOCATIONS_SITES):
        return work(seconds)


def counted_with_live(seconds: float) -> tuple[float, float]:
    with Live("%memit", Rendered(), 0.0), Allocations(ALLOCATIONS_SITES):
        return work(seconds)


def with_pyinstrument(seconds: float) -> tuple[float, float]:
    with Pyinstrument():
        return work(seconds)


def with_python_thread(seconds: float) -> tuple[float, float]:
    """What tools without a C thread do: look at sys._current_frames, as often as we."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.04):
            sys._current_frames()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        return work(seconds)
    finally:
        stop.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    # Each beside what it is compared with.
    ways = {
        "plain again": (work, work),
        "live display": (with_live, work),
        "live, allocations counted": (counted_with_live, counted),
        "Python thread, 25 Hz": (with_python_thread, work),
    }
    if Pyinstrument is not None:
        ways["pyinstrument"] = (with_pyinstrument, work)
    work(0.5)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(options.turns):
        for name, (way, base) in ways.items():
            # Beside its own base run, before and after: the machine's speed drifts.
            before, result, after = (
                base(options.seconds / 2),
                way(options.seconds),
                base(options.seconds / 2),
            )
            ratios = [
                result[i] / ((before[i] + after[i]) / 2) for i in range(len(result))
            ]
            found[name].append((ratios[0], ratios[1]))
    print(
        f"Python {sys.version.split()[0]}; speed beside the same without, median of {options.turns}"
    )
    print(f"{'':<28}{'by the clock':>14}{'by the processor':>18}{'quartiles':>18}")
    for name, ratios in found.items():
        wall, cpu = zip(*ratios, strict=True)
        low, _, high = statistics.quantiles(cpu, n=4)
        print(
            f"{name:<28}{statistics.median(wall) - 1:>+13.1%}"
            f"{statistics.median(cpu) - 1:>+17.1%}   {low - 1:>+8.1%} {high - 1:>+7.1%}"
        )
    work(0.1)
    spent, drawing = cost_of_threads(6.0)
    print(
        f"processor time of the display's threads: {spent:.2%} of the run's,"
        f" {drawing:.2%} for drawing"
    )
    bench_children.compare(options.turns)
    bench_children.stopped(options.turns, options.seconds)
    bench_engines.on_engines(options.turns)
    bench_engines.on_workers(options.turns)


if __name__ == "__main__":
    main()
