"""%lprun's engine beside line_profiler: time per line, slowdown, and honest shares.

Every workload runs bare, with our probes and under line_profiler, in turns, so that all
of them meet the same machine; the shortest CPU time of several rounds counts. ``ns/line``
is the time added for each line that was executed, by our count of hits. ``at rest`` are the
same probes while the engine is paused: what the interpreter takes to come to a probe that
does nothing. Reading the processor's clock comes on top of that, and no engine does less.

The second table shows whether the times are at the right lines. The *truth* is found
without any profiler, with timeit: a line takes the mean of two differences, of the loop to
the loop without the line, and of the loop with the line there twice in a row to the loop.
The first alone is too long, as the processor predicts what is left of the loop better; the
second is too short, as the line runs right after itself. That the lines' times add up to
the loop's is printed with them. The ``for`` is an empty loop. ``points`` is the share of
the total, in percent, that is shown at a wrong line. Truth and tools take turns, in runs of
half a millisecond, of which the shortest counts.

Usage: python bench_lprun.py [--rounds N] [--only NAME]
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
from dataclasses import dataclass
from timeit import Timer
from typing import TYPE_CHECKING, Any

from nbprobe._core import LineEngine
from nbprobe.lprun.calibration import event_costs

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from line_profiler import LineProfiler
except ImportError:
    LineProfiler = None


@dataclass(frozen=True)
class Workload:
    """Source that defines ``run()``, and the names of the functions to measure."""

    name: str
    profiled: tuple[str, ...]
    source: str


WORKLOADS = [
    Workload(
        "tight loop",
        ("run",),
        """
def run():
    i = 0
    while i < 100000:
        i += 1
        a = i * 2
        b = a + 1
    return b
""",
    ),
    Workload(
        "recursive fib(18)",
        ("fib",),
        """
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)

def run():
    fib(18)
""",
    ),
    Workload(
        "generator pipeline",
        ("numbers", "squares", "run"),
        """
def numbers(n):
    for i in range(n):
        yield i

def squares(source):
    for x in source:
        yield x * x

def run():
    total = 0
    for y in squares(numbers(20000)):
        total += y
    return total
""",
    ),
    Workload(
        "exceptions",
        ("check", "run"),
        """
def check(i):
    if i % 2:
        raise ValueError
    return i

def run():
    bad = 0
    for i in range(20000):
        try:
            check(i)
        except ValueError:
            bad += 1
    return bad
""",
    ),
    Workload(
        "unprofiled helper",
        ("run",),
        """
def helper(x):
    a = x + 1
    b = a * 2
    c = b - x
    d = c % 7
    return d + a

def run():
    total = 0
    for i in range(20000):
        total += helper(i)
        total += helper(total % 10)
    return total
""",
    ),
    Workload(
        "4 threads",
        ("work",),
        """
import threading

def work():
    i = 0
    while i < 30000:
        i += 1
        a = i * 2
        b = a + 1
    return b

def run():
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""",
    ),
    Workload(
        "numpy function",
        ("run",),
        """
import numpy as np

data = np.random.default_rng(1).normal(size=(400, 20))
groups = np.arange(400) % 8

def run():
    out = {}
    for group in range(8):
        rows = data[groups == group]
        mean = rows.mean(axis=0)
        spread = rows.std(axis=0)
        scaled = (rows - mean) / spread
        corr = np.corrcoef(scaled, rowvar=False)
        upper = corr[np.triu_indices(20, k=1)]
        order = np.argsort(-np.abs(upper))
        best = upper[order[:5]]
        total = 0.0
        for value in best:
            if value > 0:
                total += float(value)
            else:
                total -= float(value)
        clipped = np.clip(scaled, -2, 2)
        quantiles = np.quantile(clipped, [0.25, 0.5, 0.75], axis=0)
        width = quantiles[2] - quantiles[0]
        out[group] = (total, float(width.max()), int(order[0]))
    return out
""",
    ),
]


def load(workload: Workload) -> dict[str, Any]:
    """Fresh functions: line_profiler leaves those that it has seen changed."""
    scope: dict[str, Any] = {"__name__": "workload"}
    exec(compile(workload.source, f"<{workload.name}>", "exec"), scope)
    return scope


LONG_NS = 8_000_000


def cpu_ns(call: Callable[[], object]) -> int:
    """CPU time of a call; of the shortest of several, where one is short."""
    gc.collect()
    shortest = total = 0
    while total < LONG_NS:
        start = time.process_time_ns()
        call()
        took = time.process_time_ns() - start
        shortest = min(took, shortest or took)
        total += took
    return shortest


def hits_of(workload: Workload) -> int:
    scope = load(workload)
    engine = LineEngine()
    for name in workload.profiled:
        engine.add(scope[name])
    engine.start()
    scope["run"]()
    engine.stop()
    return sum(row[1] for _, _, rows in engine.lines() for row in rows)


def under_line_profiler(profiler: Any, call: Callable[[], object]) -> int:
    profiler.enable_by_count()
    try:
        return cpu_ns(call)
    finally:
        profiler.disable_by_count()


def time_workload(workload: Workload, rounds: int) -> dict[str, int]:
    """Shortest CPU time of ``run()``, by tool, in ns."""
    # The same arrays with our probes as without: where they lie in memory tells more.
    ours, theirs = load(workload), load(workload)
    engine = LineEngine()
    for name in workload.profiled:
        engine.add(ours[name])
    profiler = LineProfiler() if LineProfiler else None
    if profiler:
        for name in workload.profiled:
            profiler.add_function(theirs[name])
            if workload.name == "4 threads":
                theirs[name] = profiler.wrap_callable(theirs[name])
    times: dict[str, int] = {}
    for _ in range(rounds):
        taken = {"bare": cpu_ns(ours["run"])}
        engine.start()
        taken["ours"] = cpu_ns(ours["run"])
        engine.pause()
        taken["at rest"] = cpu_ns(ours["run"])
        engine.stop()
        if profiler and workload.name == "4 threads":
            taken["line_profiler"] = cpu_ns(theirs["run"])
        elif profiler:
            taken["line_profiler"] = under_line_profiler(profiler, theirs["run"])
        times = {tool: min(ns, times.get(tool, ns)) for tool, ns in taken.items()}
    return times


def cell(times: dict[str, int], tool: str, lines: int) -> str:
    """What `tool` adds to a line, in ns, and the slowdown."""
    if tool not in times:
        return f"{'-':>16}"
    added = (times[tool] - times["bare"]) / lines
    return f"{added:8.1f} x{times[tool] / times['bare']:<6.2f}"


def less(times: dict[str, int]) -> str:
    """How many times less is added by us than by line_profiler."""
    ours = times["ours"] - times["bare"]
    if "line_profiler" not in times or ours <= 0:
        return ""
    return f"{(times['line_profiler'] - times['bare']) / ours:5.1f}x"


def show_overhead(workloads: list[Workload], rounds: int) -> None:
    print(
        f"{'workload':20} {'lines':>8} {'bare ms':>8} {'ours':>16} {'at rest':>16}"
        f" {'line_profiler':>16}  less"
    )
    threading.excepthook = lambda _: (
        None
    )  # line_profiler 5.1 raises in threads on 3.12+
    for workload in workloads:
        try:
            lines = hits_of(workload)
        except ImportError as error:
            print(f"{workload.name:20} skipped: {error}")
            continue
        times = time_workload(workload, rounds)
        tools = ("ours", "at rest", "line_profiler")
        cells = " ".join(cell(times, tool, lines) for tool in tools)
        print(
            f"{workload.name:20} {lines:8} {times['bare'] / 1e6:8.2f} {cells} {less(times)}"
        )


# ---- shares ----

HELPER = """
def helper(x):
    a = x + 1
    b = a * 2
    c = b - x
    d = c % 7
    return d + a

class Point:
    def __init__(self, x):
        self.x = x

s = "text"
items = list(range(40))
names = {"k%d" % k: k for k in range(100)}
"""
BODIES = {
    "cheap and heavy": [
        "x = i * 2",
        "y = sum(range(50))",
        "z = helper(i)",
        "w = len(s)",
    ],
    "objects and text": [
        "p = Point(i)",
        "q = p.x + 1",
        "t = '%d:%s' % (q, s)",
        "u = names.get('k7')",
        "v = sorted(items, reverse=True)",
        "r = t.split(':')",
        "b = i & 3",
    ],
}
LOOPS = 500


def body(lines: list[str], names: list[str]) -> Callable[[], None]:
    """The lines in a loop, after all those of `names`, which define what they use."""
    before = "\n".join(f"    i = {LOOPS}\n    {line}" for line in names)
    inside = "\n".join(f"        {line}" for line in lines)
    scope: dict[str, Any] = {}
    source = f"{HELPER}\ndef run():\n{before}\n    for i in range({LOOPS}):\n{inside}\n"
    exec(compile(source, "<body>", "exec"), scope)
    return scope["run"]  # type: ignore[no-any-return]


def first_line(run: Any, lines: list[str]) -> int:
    """The line of the ``for``."""
    return int(run.__code__.co_firstlineno) + 2 * len(lines) + 1


class Truth:
    """Times of the lines by timeit."""

    def __init__(self, lines: list[str]) -> None:
        self.count = len(lines)
        variants = {"all": lines, "empty": ["pass"]}
        for k, line in enumerate(lines):
            variants[f"without {k}"] = lines[:k] + lines[k + 1 :]
            variants[f"twice {k}"] = [*lines[: k + 1], line, *lines[k + 1 :]]
        self._timers = {
            name: Timer(body(variant, lines)) for name, variant in variants.items()
        }
        self._best: dict[str, float] = {}

    def round(self) -> None:
        for name, timer in self._timers.items():
            taken = timer.timeit(1) * 1e9 / LOOPS
            self._best[name] = min(taken, self._best.get(name, taken))

    def whole(self) -> float:
        """ns of a round of the loop."""
        return self._best["all"]

    def times(self) -> list[float]:
        """ns of the ``for`` and of each line, in a round of the loop."""
        lines = [
            (self._best[f"twice {k}"] - self._best[f"without {k}"]) / 2
            for k in range(self.count)
        ]
        return [self._best["empty"], *lines]


class Ours:
    """Raw and corrected times of the same."""

    def __init__(self, lines: list[str]) -> None:
        self._run = body(lines, lines)
        self._first = first_line(self._run, lines)
        self._engine = LineEngine()
        self._engine.costs = event_costs()
        self._engine.add(self._run)
        self.raw: list[float] = []
        self.corrected: list[float] = []

    def round(self) -> None:
        self._engine.reset()
        self._engine.start()
        for _ in range(2):  # the first one is of code that no interpreter has seen yet
            self._engine.reset()
            self._run()
        self._engine.stop()
        rows = [row for row in self._engine.lines()[0][2] if row[0] >= self._first]
        raw = [row[2] / LOOPS for row in rows]
        # Both of the round that was disturbed least: the least of the corrected times
        # would be those from which too much was taken.
        if not self.raw or sum(raw) < sum(self.raw):
            self.raw = raw
            self.corrected = [(row[2] - row[5]) / LOOPS for row in rows]


class Theirs:
    """Times of the same by line_profiler."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.times: list[float] = []

    def round(self) -> None:
        profiler = LineProfiler()
        run = body(self._lines, self._lines)
        profiler.add_function(run)
        under_line_profiler(profiler, run)
        (timings,) = profiler.get_stats().timings.values()
        first = first_line(run, self._lines)
        unit = profiler.timer_unit * 1e9
        times = [row[2] * unit / LOOPS for row in timings if row[0] >= first]
        if not self.times or sum(times) < sum(self.times):
            self.times = times


def shares(times: list[float]) -> list[float]:
    total = sum(times)
    return [100 * value / total for value in times]


def points(found: list[float], truth: list[float]) -> float:
    return (
        sum(abs(a - b) for a, b in zip(shares(found), shares(truth), strict=True)) / 2
    )


def show_shares(rounds: int) -> None:
    print("\npoints of the total at a wrong line")
    print(f"{'body':20} {'raw':>8} {'corrected':>10} {'line_profiler':>14}")
    for name, lines in BODIES.items():
        truth, ours = Truth(lines), Ours(lines)
        theirs = Theirs(lines) if LineProfiler else None
        for _ in range(rounds):
            truth.round()
            ours.round()
            if theirs:
                theirs.round()
        times = truth.times()
        row = f"{name:20} {points(ours.raw, times):8.1f} {points(ours.corrected, times):10.1f}"
        if theirs:
            row += f" {points(theirs.times, times):14.1f}"
        print(row)
        print(f"    {'line':40} {'true ns':>9} {'raw':>9} {'corrected':>9}")
        for line, *row_times in zip(
            ["for", *lines], times, ours.raw, ours.corrected, strict=True
        ):
            print(f"    {line:40} " + " ".join(f"{value:9.1f}" for value in row_times))
        print(
            f"    {'all of them, and the loop':40} {sum(times):9.1f} {truth.whole():9.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--only", help="part of the name of the workloads to run, or 'shares'"
    )
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; ns added per line and slowdown")
    show_overhead(
        [w for w in WORKLOADS if (options.only or "") in w.name], options.rounds
    )
    if options.only is None or options.only == "shares":
        show_shares(4 * options.rounds)


if __name__ == "__main__":
    main()
