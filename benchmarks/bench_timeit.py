"""%timeit beside its peers: bias, scatter and seconds a call, idle and under load.

Every statement is measured by nbprobe, the built-in ``%timeit``, ``python -m timeit`` and
pyperf, several times each and in turns, so that all of them meet the same machine. The
*truth* they are compared with is found the slow way: functions with 1 to 100 copies of
the statement are compiled anew again and again, each is timed many times in pure Python,
and the slope of the fastest times over the number of copies is the cost of one.

A shared processor is up to twice as slow for seconds at a time, when a neighbour works on
its other half, and what it did during a call nobody can tell afterwards. So the truth is
found anew before and after each call, the call is compared with these two, and a short call
between two that differ by more than 2 % is made again, up to 6 times. *moves* is the
standard deviation of all truths; *steady*, how many of the calls of ours had two that agree:
without one, nothing can be shown on that machine at that time.

Usage: python bench_timeit.py [--calls N] [--no-pyperf] [--no-stock] [--load idle|busy|both]
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

from nbprobe.timeit import measure

SETUP = """
import json, math, re
a = 12345; b = 67890; x = 1; k = 'k'; d = {'k': 1}; l = [3, 1, 2]; s = 'some text'
t = tuple(range(1000)); r = [(i * 7919) % 1000 for i in range(1000)]
doc = {'name': 'n', 'tags': ['a', 'b'], 'size': {'w': 1, 'h': 2.5}}
class C: value = 3
c = C()
def g(): pass
"""
STATEMENTS = [
    "pass",
    "x",
    "c.value",
    "l[0]",
    "len(l)",
    "d[k]",
    "g()",
    "a + b",
    "math.sqrt(2.0)",
    "f'{a}:{s}'",
    "[i for i in range(10)]",
    "json.dumps(doc)",
    "sorted(r)",
    "re.findall(r'[0-9]+', str(t))",
]
UNITS = {"nsec": 1.0, "usec": 1e3, "msec": 1e6, "sec": 1e9}
TRIES = 6
SHORT_S = 1.0
STEADY = 0.02
GOAL = "bias within 5 % or 0.3 ns, scatter within 1 % or 0.1 ns, at most 0.5 s a call"


@dataclass
class Calls:
    """What one tool said of one statement, call by call, and what was true then."""

    figures_ns: list[float] = field(default_factory=list)
    truths_ns: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    steady: int = 0

    def add(
        self,
        tool: Callable[[str], float],
        statement: str,
        true_ns: Callable[[], float],
    ) -> None:
        """Call the tool between two truths, again while they differ and it is short."""
        before = true_ns()
        for _ in range(TRIES):
            start = time.perf_counter()
            figure = tool(statement)
            seconds = time.perf_counter() - start
            after = true_ns()
            is_steady = abs(after - before) <= max(STEADY * before, 0.05)
            if is_steady or seconds > SHORT_S:
                break
            before = after
        self.steady += is_steady
        self.figures_ns.append(figure)
        self.truths_ns.append((before + after) / 2)
        self.seconds.append(seconds)

    @property
    def mean_ns(self) -> float:
        return statistics.fmean(self.figures_ns)

    @property
    def bias_ns(self) -> float:
        return statistics.fmean(self._errors_ns())

    @property
    def scatter_ns(self) -> float:
        errors = self._errors_ns()
        return statistics.stdev(errors) if len(errors) > 1 else 0.0

    def _errors_ns(self) -> list[float]:
        pairs = zip(self.figures_ns, self.truths_ns, strict=True)
        return [figure - true for figure, true in pairs]


def truth(statement: str, namespace: dict[str, object]) -> float:
    """Slope of the fastest time over the number of copies, ns; mean over compilations."""
    once = _copies(statement, 1, namespace)
    rough_ns = _fastest(once, max(1, int(1e5 / _fastest(once, 1, 3))), 3)
    most = max(2, min(100, int(2e5 / rough_ns)))
    counts = sorted({1, 2, most // 8 or 1, most // 4 or 1, most // 2 or 1, most})
    slopes = []
    for _ in range(5):
        functions = {count: _copies(statement, count, namespace) for count in counts}
        fastest = dict.fromkeys(counts, float("inf"))
        for _, count in itertools.product(range(40), counts):
            loops = max(1, int(1.5e5 / (rough_ns * count)))
            fastest[count] = min(fastest[count], _fastest(functions[count], loops, 1))
        slopes.append(_slope(list(fastest), list(fastest.values())))
    return statistics.fmean(slopes)


def _copies(
    statement: str, count: int, namespace: dict[str, object]
) -> Callable[[int], int]:
    body = f"        {statement}\n" * count
    source = (
        "def timed(n, clock=clock, repeat=repeat):\n"
        "    start = clock()\n"
        f"    for _ in repeat(None, n):\n{body}"
        "    return clock() - start\n"
    )
    scope = {"clock": time.perf_counter_ns, "repeat": itertools.repeat}
    exec(compile(source, "<truth>", "exec"), namespace | scope, scope)
    function: Callable[[int], int] = scope["timed"]  # type: ignore[assignment]
    # The statement's names must be the shared ones, not a copy of the namespace.
    return type(function)(function.__code__, namespace, None, function.__defaults__)  # type: ignore[attr-defined, no-any-return]


def _fastest(function: Callable[[int], int], loops: int, times: int) -> float:
    return min(function(loops) for _ in range(times)) / loops


def _slope(xs: list[int], ys: list[float]) -> float:
    return statistics.linear_regression(xs, ys).slope


def tools(
    namespace: dict[str, object], options: argparse.Namespace
) -> dict[str, Callable[[str], float]]:
    """Each tool as a function from a statement to ns."""
    shell = InteractiveShell.instance(user_ns=namespace)

    def ours(statement: str) -> float:
        return measure(statement, globals=shell.user_ns).estimate_ns

    def stock(statement: str) -> float:
        result = shell.run_line_magic("timeit", f"-o -q {statement}")
        return float(result.average) * 1e9

    def command(statement: str) -> float:
        run = subprocess.run(
            [sys.executable, "-m", "timeit", "-s", SETUP, statement],
            capture_output=True,
            text=True,
            check=True,
        )
        figure, unit = re.search(r"([\d.]+) (\w+) per loop", run.stdout).groups()  # type: ignore[union-attr]
        return float(figure) * UNITS[unit]

    def pyperf(statement: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pyperf.json")
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pyperf",
                    "timeit",
                    "--fast",
                    "-q",
                    "-o",
                    str(path),
                    "-s",
                    SETUP,
                    statement,
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            runs = json.loads(path.read_text())["benchmarks"][0]["runs"]
        return (
            statistics.fmean(value for run in runs for value in run.get("values", ()))
            * 1e9
        )

    chosen = {"nbprobe": ours, "%timeit": stock, "-m timeit": command, "pyperf": pyperf}
    if options.no_pyperf:
        del chosen["pyperf"]
    if options.no_stock:
        del chosen["%timeit"], chosen["-m timeit"]
    return chosen


@contextmanager
def load(busy: bool) -> Iterator[None]:
    """Keep every core busy with another process."""
    cores = os.cpu_count() or 1
    spin = [sys.executable, "-c", "while True: sum(range(1000))"]
    others = [subprocess.Popen(spin) for _ in range(cores if busy else 0)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def bench(options: argparse.Namespace, *, busy: bool) -> bool:
    """Print the table of one condition; return whether the goal is met throughout."""
    namespace: dict[str, object] = {}
    exec(SETUP, namespace)
    measuring = tools(namespace, options)
    calls = {tool: 1 if tool == "pyperf" else options.calls for tool in measuring}
    print(
        f"\n{'every core busy' if busy else 'idle'}, Python {sys.version.split()[0]}, "
        f"load average {os.getloadavg()[0]:.1f}; ns, {options.calls} calls each (pyperf 1)\n"
    )
    print(
        f"{'statement':31}{'truth':>10}{'moves':>7}{'steady':>7}"
        + "".join(
            f"{tool:>12}{'bias':>8}{'scatter':>9}{'s/call':>7}" for tool in measuring
        )
    )
    all_met = True
    for statement in options.statements or STATEMENTS:
        seen = {tool: Calls() for tool in measuring}
        true_ns = functools.partial(truth, statement, namespace)
        for turn in range(options.calls):
            for tool, call in measuring.items():
                if turn < calls[tool]:
                    seen[tool].add(call, statement, true_ns)
        truths = [each for tool in seen.values() for each in tool.truths_ns]
        mean_ns = statistics.fmean(truths)
        moves_ns = statistics.stdev(truths) if len(truths) > 1 else 0.0
        line = f"{statement:31}{mean_ns:10.2f}{_share(moves_ns, mean_ns):>7}"
        line += f"{seen['nbprobe'].steady:>5}/{options.calls}"
        for tool in measuring:
            line += _cells(seen[tool])
        met = _meets_goal(seen["nbprobe"])
        all_met &= met
        print(line + ("" if met else "   <- misses the goal"), flush=True)
    with_sleep = Calls()
    namespace["sleep"] = time.sleep
    with_sleep.add(measuring["nbprobe"], "sleep(0.19)", lambda: 190e6)
    print(
        f"sleep(0.19): {with_sleep.mean_ns / 1e6:.1f} ms in {with_sleep.seconds[0]:.2f} s"
    )
    return all_met


def loading_ms() -> float:
    """Milliseconds of import and %load_ext in a new session; the best of five."""
    script = (
        "import time\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "start = time.perf_counter()\n"
        "shell.extension_manager.load_extension('nbprobe')\n"
        "print((time.perf_counter() - start) * 1e3)\n"
    )
    return min(
        float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(5)
    )


def _cells(calls: Calls) -> str:
    true_ns = statistics.fmean(calls.truths_ns)
    bias_ns = calls.bias_ns
    bias = f"{bias_ns / true_ns:+.1%}" if true_ns > 0.5 else f"{bias_ns:+.2f}ns"
    scatter = _share(calls.scatter_ns, calls.mean_ns)
    return f"{calls.mean_ns:12.2f}{bias:>8}{scatter:>9}{statistics.fmean(calls.seconds):7.2f}"


def _share(part_ns: float, whole_ns: float) -> str:
    return f"{part_ns / whole_ns:.1%}" if whole_ns > 0.5 else f"{part_ns:.2f}ns"


def _meets_goal(calls: Calls) -> bool:
    true_ns = statistics.fmean(calls.truths_ns)
    return (
        abs(calls.bias_ns) <= max(0.05 * true_ns, 0.3)
        and calls.scatter_ns <= max(0.01 * true_ns, 0.1)
        and max(calls.seconds) <= 0.5
    )


def main() -> int:
    """Run the benchmark; 1 when the goal is missed somewhere."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=4, help="calls of each tool (4)")
    parser.add_argument(
        "--no-pyperf",
        action="store_true",
        help="leave pyperf out (it takes most of the time)",
    )
    parser.add_argument(
        "--no-stock",
        action="store_true",
        help="leave the built-in and python -m timeit out",
    )
    parser.add_argument("--load", choices=["idle", "busy", "both"], default="both")
    parser.add_argument(
        "statements",
        nargs="*",
        help="statements over the names of SETUP (the standard set)",
    )
    options = parser.parse_args()
    print(f"import and %load_ext: {loading_ms():.1f} ms (goal: 30)")
    met = True
    for busy in (False, True):
        if options.load in ("both", "busy" if busy else "idle"):
            with load(busy):
                met &= bench(options, busy=busy)
    print(f"\nGoal ({GOAL}): {'met' if met else 'missed where marked'}.")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
