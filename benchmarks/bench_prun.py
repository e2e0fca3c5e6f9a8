"""%prun beside its peers: what a call costs under each, and how wrong the shares are.

Every workload runs plain and under every profiler in turns, many times, for a millisecond
or so at a time; processor time is measured and the fastest run of each counts, so that all
of them meet the machine at its best. The *truth* about shares is
what four functions take when they run plain, one after the other; *misattributed* is how
many points of a hundred a profiler gives to the wrong one of them. *nobody* are nbprobe's
events of sys.monitoring without anyone to receive them: the interpreter's own part of the
cost, before it calls a profiler.

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
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Any

from nbprobe._core import Sampler, pace_ns
from nbprobe.code import Code
from nbprobe.prun import Profile, ProfileResult
from nbprobe.prun.calibration import costs
from nbprobe.prun.sampling import sample

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
    for _ in range(10_000):
        leaf()


def native_calls() -> None:
    function = abs
    for _ in range(10_000):
        function(1)


def numbers(n: int) -> Iterator[int]:
    number = 0
    while number < n:
        yield number
        number += 1


def resumes() -> None:
    for _ in numbers(10_000):
        pass


def threads() -> None:
    started = [threading.Thread(target=fib, args=(12,)) for _ in range(4)]
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
    for n in range(1_000):
        small_b(n)


FRAME = pandas.DataFrame({"k": [i % 97 for i in range(2_000)]}) if pandas else None


def pipeline() -> None:
    frame = FRAME.assign(v=FRAME.k * 2.5)
    grouped = frame.groupby("k").agg({"v": ["mean", "max"]})
    grouped.columns = ["mean", "max"]
    frame.merge(grouped, on="k").query("v >= mean").sort_values("v")


def calls_of_pipeline() -> int:
    profile = Profile()
    profile.runcall(pipeline)
    return profile.result().calls


# Each with the number of calls or resumptions in it.
WORKLOADS: list[tuple[str, Workload, int]] = [
    ("recursion fib(16)", lambda: fib(16), 3_193),
    ("Python calls", python_calls, 10_000),
    ("C calls", native_calls, 10_000),
    ("resumptions", resumes, 10_000),
    ("many small functions", small_functions, 1_000 * 6),
    ("4 threads fib(12)", threads, 4 * 465),
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
    start = process_time_ns()
    workload()
    return process_time_ns() - start


def under_nbprobe(workload: Workload) -> float:
    profile = Profile()
    return profile.runcall(timed, workload)


def under_nbprobe_python_only(workload: Workload) -> float:
    profile = Profile(builtins=False)
    return profile.runcall(timed, workload)


def under_nobody(workload: Workload) -> float:
    monitoring = sys.monitoring
    events = monitoring.events
    tool = monitoring.PROFILER_ID
    monitoring.use_tool_id(tool, "nobody")
    try:
        monitoring.set_events(
            tool,
            events.PY_START
            | events.PY_RESUME
            | events.PY_RETURN
            | events.PY_YIELD
            | events.CALL,
        )
        return timed(workload)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


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
if sys.version_info >= (3, 12):
    PROFILERS["nobody"] = under_nobody
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


def under_sampling(runs: int) -> ProfileResult:
    code = Code.parse(f"for _ in range({runs}): mixed()")
    return sample(code, globals={"mixed": mixed})


def by_clock(function: Workload) -> float:
    start = perf_counter_ns()
    function()
    return perf_counter_ns() - start


def best_of(runs: list[list[float]]) -> list[float]:
    """Give the shares of the functions, each at the lower quartile of its times.

    The least would be, of corrected times, the one from which too much was subtracted.
    """
    return shares(
        [statistics.quantiles(times, n=4)[0] for times in zip(*runs, strict=True)]
    )


def misattributed(found: list[float], right: list[float]) -> float:
    return sum(abs(a - b) for a, b in zip(found, right, strict=True)) / 2


def distortion(turns: int) -> None:
    alone: list[list[float]] = []
    found: dict[str, list[list[float]]] = {}
    for turn in range(turns * 2):
        alone.append([by_clock(function) for function in MIX])
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
    right = best_of(alone)
    sampled = under_sampling(turns * 25)
    assert sampled.sampling is not None
    seen = shares(times_of(sampled.stats()))
    stated = sum(100 * sampled.sampling.margin(share / 100) for share in seen) / 2
    print(f"\n{'shares of four functions':<26}{'truth':>24}{_list(right):>20}")
    for name, runs in found.items():
        best = best_of(runs)
        points = misattributed(best, right)
        print(f"{name:<26}{points:>18.1f} points{_list(best):>19}")
    points = misattributed(seen, right)
    print(
        f"{'nbprobe --sample':<26}{points:>18.1f} points{_list(seen):>19}"
        f"   (says of itself: up to {stated:.1f})"
    )


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


Spent = tuple[int, int]


def work() -> Spent:
    """Processor time of this thread for some 30 ms of a mixed load, and by the clock; ns."""
    clock, start = perf_counter_ns(), thread_time_ns()
    for _ in range(20):
        mixed()
    return thread_time_ns() - start, perf_counter_ns() - clock


LOOKS: list[float] = []  # a second
LOOK_NS: list[float] = []  # processor time of the sampler for each


def work_under_sampler() -> Spent:
    sampler = Sampler(1000)
    sampler.start()
    try:
        return work()
    finally:
        sampler.stop()
        rounds, _, _, cost_ns, ran_ns, _ = sampler.stats()
        LOOKS.append(rounds / ran_ns * 1e9)
        LOOK_NS.append(cost_ns / max(rounds, 1))


def work_under_pyinstrument() -> Spent:
    with Pyinstrument(interval=0.001):
        return work()


SAMPLERS: dict[str, Callable[[], Spent]] = {
    "plain again": work,
    "nbprobe, 1 kHz": work_under_sampler,
}
if Pyinstrument is not None:
    SAMPLERS["pyinstrument, 1 kHz"] = work_under_pyinstrument


def middle(values: list[float]) -> str:
    """Give the median of a list with its standard error."""
    found = statistics.median(values)
    spread = statistics.median(abs(value - found) for value in values)
    return f"{found:+.2f} % ± {1.2533 * 1.4826 * spread / len(values) ** 0.5:.2f}"


def sampling(turns: int) -> None:
    """What looking from outside costs: pairs of runs, now one first and now the other."""
    slower: dict[str, list[tuple[float, float]]] = {name: [] for name in SAMPLERS}
    for turn in range(2 * turns):
        for name, under in SAMPLERS.items():
            if turn % 2:
                plain, looked_at = work(), under()
            else:
                looked_at, plain = under(), work()
            pairs = zip(looked_at, plain, strict=True)
            in_processor, by_clock = (100 * (a / b - 1) for a, b in pairs)
            slower[name].append((in_processor, by_clock))
    title = f"sampling, slower by (median of {2 * turns} pairs)"
    print(f"\n{title:<46}{'processor time':>18}{'clock':>18}")
    for name, pairs_of_name in slower.items():
        columns = zip(*pairs_of_name, strict=True)
        print(f"{name:<46}" + "".join(f"{middle([*c]):>18}" for c in columns))
    looks, each = statistics.median(LOOKS), statistics.median(LOOK_NS)
    print(
        f"the sampler takes {each / 1000:.1f} us a look, {looks:.0f} looks a second: "
        f"{looks * each / 1e7:.2f} % of another processor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=60)
    turns = parser.parse_args().turns
    print(f"Python {sys.version.split()[0]}")
    overhead(turns)
    measured = costs(True)
    print(
        f"calibrated: Python call {measured.call_inside:.0f} + "
        f"{measured.call_outside:.0f} ns, C call {measured.native_inside:.0f} + "
        f"{measured.native_outside:.0f}, resumption {measured.resume_inside:.0f} + "
        f"{measured.resume_outside:.0f}, other {measured.other:.0f}; at a pace of "
        f"{measured.pace:.0f} ns (now {pace_ns():.0f})"
    )
    distortion(turns)
    sampling(turns)


if __name__ == "__main__":
    main()
