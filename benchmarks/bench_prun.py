"""%prun beside its peers: what a call costs under each, and how wrong the shares are.

Every workload runs plain and under every profiler in turns, many times; the fastest run of
each counts, so that all of them meet the machine at its best. The *truth* about shares is
what four functions take when they run plain, one after the other; *misattributed* is how
many points of a hundred a profiler gives to the wrong one of them.

Usage: python bench_prun.py [--turns N]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import sys
import threading
from collections.abc import Callable, Iterator
from time import perf_counter_ns, thread_time_ns
from typing import Any

from nbprobe._core import Sampler
from nbprobe.prun import Profile
from nbprobe.prun.calibration import costs

try:
    from pyinstrument import Profiler as Pyinstrument
except ImportError:
    Pyinstrument = None
try:
    import yappi
except ImportError:
    yappi = None
try:
    import pandas
except ImportError:
    pandas = None

Workload = Callable[[], object]


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def leaf() -> None:
    pass


def python_calls() -> None:
    for _ in range(100_000):
        leaf()


def native_calls() -> None:
    function = abs
    for _ in range(200_000):
        function(1)


def numbers(n: int) -> Iterator[int]:
    number = 0
    while number < n:
        yield number
        number += 1


def resumes() -> None:
    for _ in numbers(100_000):
        pass


def threads() -> None:
    started = [threading.Thread(target=fib, args=(16,)) for _ in range(4)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def small_a(n: int) -> int:
    return n + 1


def small_b(n: int) -> int:
    return small_a(n) + small_c(n)


def small_c(n: int) -> int:
    return max(n, small_d(n))


def small_d(n: int) -> int:
    return abs(n)


def small_functions() -> None:
    """Make 4 Python calls and 2 C calls a turn, of several functions in turns."""
    for n in range(5_000):
        small_b(n)


FRAME = pandas.DataFrame({"k": [i % 97 for i in range(20_000)]}) if pandas else None


def pipeline() -> None:
    frame = FRAME.assign(v=FRAME.k * 2.5)
    for _ in range(3):
        grouped = frame.groupby("k").agg({"v": ["mean", "max"]})
        grouped.columns = ["mean", "max"]
        frame.merge(grouped, on="k").query("v >= mean").sort_values("v")


def calls_of_pipeline() -> int:
    profile = Profile()
    profile.runcall(pipeline)
    return profile.result().calls


# Each with the number of calls or resumptions in it.
WORKLOADS: list[tuple[str, Workload, int]] = [
    ("recursion fib(20)", lambda: fib(20), 21_891),
    ("Python calls", python_calls, 100_000),
    ("C calls", native_calls, 200_000),
    ("resumptions", resumes, 100_000),
    ("many small functions", small_functions, 5_000 * 6),
    ("4 threads fib(16)", threads, 4 * 3_193),
]
if pandas is not None:
    pipeline()
    WORKLOADS.append(("a pandas pipeline", pipeline, calls_of_pipeline()))


def many_calls() -> None:
    for _ in range(9_000):
        leaf()
        leaf()


def pure_loop() -> None:
    total = 0
    for i in range(12_000):
        total += i * 2


def many_builtins() -> None:
    items: list[int] = []
    for i in range(8_000):
        items.append(i)  # noqa: PERF402 - the calls are what is wanted


def list_heavy() -> None:
    data = [(i * 7919) % 1000 for i in range(300)]
    for _ in range(60):
        sorted(data)


MIX = (many_calls, pure_loop, many_builtins, list_heavy)


def mixed() -> None:
    """One millisecond in all: some of these runs are not preempted on a busy machine."""
    many_calls()
    pure_loop()
    many_builtins()
    list_heavy()


def timed(workload: Workload) -> float:
    start = perf_counter_ns()
    workload()
    return perf_counter_ns() - start


def under_nbprobe(workload: Workload) -> float:
    profile = Profile()
    return profile.runcall(timed, workload)


def under_nbprobe_python_only(workload: Workload) -> float:
    profile = Profile(builtins=False)
    return profile.runcall(timed, workload)


def under_cprofile(workload: Workload) -> float:
    return cProfile.Profile().runcall(timed, workload)


def under_yappi(workload: Workload) -> float:
    yappi.set_clock_type("wall")
    yappi.start(builtins=True)
    try:
        return timed(workload)
    finally:
        yappi.stop()
        yappi.clear_stats()


def under_pyinstrument(workload: Workload) -> float:
    profiler = Pyinstrument()
    profiler.start()
    try:
        return timed(workload)
    finally:
        profiler.stop()


PROFILERS: dict[str, Callable[[Workload], float]] = {
    "nbprobe": under_nbprobe,
    "  --no-builtins": under_nbprobe_python_only,
    "cProfile": under_cprofile,
}
if yappi is not None:
    PROFILERS["yappi"] = under_yappi
if Pyinstrument is not None:
    PROFILERS["pyinstrument"] = under_pyinstrument


def shares(times: list[float]) -> list[float]:
    return [100 * time / sum(times) for time in times]


def times_of(stats: Any) -> list[float]:
    by_name = {label[2]: row[3] for label, row in stats.stats.items()}
    return [by_name[function.__name__] for function in MIX]


def yappi_times() -> list[float]:
    yappi.set_clock_type("wall")
    yappi.start(builtins=True)
    try:
        mixed()
    finally:
        yappi.stop()
    found = {stat.name: stat.tsub for stat in yappi.get_func_stats()}
    yappi.clear_stats()
    return [found[function.__name__] for function in MIX]


def pyinstrument_times() -> list[float]:
    profiler = Pyinstrument(interval=0.0005)
    profiler.start()
    for _ in range(50):
        mixed()
    session = profiler.stop()
    found = dict.fromkeys((function.__name__ for function in MIX), 0.0)

    def add(frame: Any) -> None:
        if frame.function in found:
            found[frame.function] += frame.time
            return
        for child in frame.children:
            add(child)

    add(session.root_frame())
    return list(found.values())


def truth(turns: int) -> list[float]:
    return shares([min(timed(function) for _ in range(turns * 6)) for function in MIX])


def misattributed(found: list[float], right: list[float]) -> float:
    return sum(abs(a - b) for a, b in zip(found, right, strict=True)) / 2


def distortion(turns: int) -> None:
    right = truth(turns)
    found: dict[str, list[list[float]]] = {}
    for turn in range(turns * 6):
        ours = Profile()
        ours.runcall(mixed)
        result = ours.result()
        theirs = cProfile.Profile()
        theirs.runcall(mixed)
        rows = {
            "nbprobe": times_of(result.stats()),
            "nbprobe, raw": times_of(result.stats(raw=True)),
            "cProfile": times_of(pstats.Stats(theirs)),
        }
        if yappi is not None:
            rows["yappi"] = yappi_times()
        if Pyinstrument is not None and turn % 6 == 0:
            rows["pyinstrument 0.5 ms"] = pyinstrument_times()
        for name, times in rows.items():
            found.setdefault(name, []).append(times)
    print(f"\n{'shares of four functions':<26}{'truth':>24}{_list(right):>20}")
    for name, runs in found.items():
        # The fastest run of each function, as for the truth.
        best = shares([min(times) for times in zip(*runs, strict=True)])
        points = misattributed(best, right)
        print(f"{name:<26}{points:>18.1f} points{_list(best):>19}")


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)


def overhead(turns: int) -> None:
    names = list(PROFILERS)
    print(
        f"{'ns a call, beyond plain':<22}{'plain':>8}"
        + "".join(f"{n:>17}" for n in names)
        + f"{'of cProfile':>13}"
    )
    for title, workload, count in WORKLOADS:
        plain = [timed(workload)]
        runs: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(turns):
            plain.append(timed(workload))
            for name, under in PROFILERS.items():
                runs[name].append(under(workload))
        base = min(plain)
        cells = [(min(runs[name]) - base) / count for name in names]
        ratio = cells[0] / cells[names.index("cProfile")]
        # Below 0.5 ns it saw nothing, as cProfile does of threads before 3.12.
        seen = cells[names.index("cProfile")] > 0.5
        print(
            f"{title:<22}{base / count:>8.1f}"
            + "".join(f"{c:>17.1f}" for c in cells)
            + (f"{ratio:>13.2f}" if seen else f"{'sees nothing':>13}")
        )


def steps(seconds: float) -> float:
    """Steps of a mixed load that fit into a second of this thread's processor time."""
    done = 0
    clock, processor = perf_counter_ns(), thread_time_ns()
    while perf_counter_ns() - clock < seconds * 1e9:
        mixed()
        done += 1
    return done / (thread_time_ns() - processor)


def sampling(turns: int) -> None:
    """What looking from outside costs, each run beside plain ones before and after it."""
    found: dict[str, list[float]] = {}
    rate = 0.0
    for _ in range(turns):
        for name in ("plain again", "sampler, 1 kHz", "pyinstrument, 1 kHz"):
            before = steps(0.4)
            if name.startswith("sampler"):
                sampler = Sampler(1000)
                sampler.start()
                speed = steps(0.8)
                sampler.stop()
                rounds, _, _, _, ran_ns, _ = sampler.stats()
                rate = rounds / ran_ns * 1e9
            elif name.startswith("py") and Pyinstrument is not None:
                with Pyinstrument(interval=0.001):
                    speed = steps(0.8)
            else:
                speed = steps(0.8)
            beside = (before + steps(0.4)) / 2
            found.setdefault(name, []).append(100 * (beside / speed - 1))
    print(f"\nsampling, slower by (median of {turns}; {rate:.0f} looks a second)")
    for name, slower in found.items():
        print(f"{name:<26}{statistics.median(slower):>+8.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    print(f"Python {sys.version.split()[0]}")
    overhead(turns)
    measured = costs(True)
    print(
        f"calibrated: Python call {measured.call_inside:.0f} + "
        f"{measured.call_outside:.0f} ns, C call {measured.native_inside:.0f} + "
        f"{measured.native_outside:.0f}, resumption {measured.resume_inside:.0f} + "
        f"{measured.resume_outside:.0f}, other {measured.other:.0f}"
    )
    distortion(turns)
    sampling(turns)


if __name__ == "__main__":
    main()
