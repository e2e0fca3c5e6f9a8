"""Memory beside its peers: known peaks, what counting costs, snapshots.

Each workload has a known peak. It runs in a fresh process under each tool, in turns; the
figure of the first run counts, and for ours all of them. *Resident* is what the kernel gave
the process at most, *allocated* what the allocators gave out and had not got back. Costs are
of an allocation and its free, or of an executed line, the fastest of several turns beside a
plain run.

Usage: python bench_memit.py [--runs N] [--only NAME] [--turns N] [--blocks N]
       [peaks | cost | lines | snapshots]
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import json
import mmap
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

MB = 1_000_000
MIB = 1 << 20
SIZE = 200 * MB

NATIVE = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void hold(size_t size, int us) {
    char *volatile block = malloc(size);
    for (size_t at = 0; at < size; at += 512) {
        ((volatile char *)block)[at] = 1;
    }
    usleep(us);
    free(block);
}
"""


# --- Workloads: each is made ready first, so that only the peak is measured -----------


def alive_1_ms() -> Callable[[], object]:
    def work() -> None:
        block = bytearray(SIZE)
        time.sleep(0.001)
        del block

    return work


def numpy_temporaries() -> Callable[[], object]:
    import numpy as np

    def work(values: Any) -> object:
        return (values * 2 + 1).sum()

    work(np.ones(10_000))  # pages of numpy's own code that it touches
    values = np.ones(SIZE // 8)
    return lambda: work(values)


def million_objects(look: Callable[[], object] = int) -> Callable[[], object]:
    def work() -> None:
        kept: list[object] = [None] * 1_000_000
        for number in range(1_000_000):
            kept[number] = (number, number)
        look()

    return work


def native_library() -> ctypes.CDLL:
    digest = hashlib.sha256(NATIVE.encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"nbprobe-bench-{os.getuid()}-{digest}"
    library = folder / "hold.so"
    if not library.exists():
        folder.mkdir(exist_ok=True)
        source = folder / "hold.c"
        source.write_text(NATIVE)
        compiler = shutil.which("cc") or "gcc"
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True
        )
    loaded = ctypes.CDLL(str(library))
    loaded.hold.argtypes = [ctypes.c_size_t, ctypes.c_int]
    return loaded


def native_malloc() -> Callable[[], object]:
    hold = native_library().hold
    return lambda: hold(SIZE, 1000)


def two_threads() -> Callable[[], object]:
    hold = native_library().hold

    def work() -> None:
        threads = [
            threading.Thread(target=hold, args=(SIZE // 2, 200_000)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return work


def mapped() -> Callable[[], object]:
    def work() -> None:
        block = mmap.mmap(-1, SIZE)
        for page in range(0, SIZE, mmap.PAGESIZE):
            block[page] = 1
        block.close()

    return work


def untouched_zeros() -> Callable[[], object]:
    import numpy as np

    return lambda: np.zeros(SIZE // 8)


def child(look: Callable[[], object] = int) -> Callable[[], object]:
    code = f"x = bytearray({SIZE}); print(flush=True); import time; time.sleep(0.3)"

    def work() -> None:
        command = [sys.executable, "-S", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            look()

    return work


def nothing() -> Callable[[], object]:
    return lambda: None


# Peaks in bytes above the start: resident, allocated. -1: found out in a process without
# any tool, by a look at what is resident while all of it is held.
WORKLOADS: dict[str, tuple[Callable[[], Callable[[], object]], int, int]] = {
    "bytearray, 1 ms": (alive_1_ms, SIZE, SIZE),
    "numpy temporaries": (numpy_temporaries, SIZE, SIZE),
    "10^6 small objects": (million_objects, -1, 96 * MB),
    "native malloc": (native_malloc, SIZE, SIZE),
    "2 native threads": (two_threads, SIZE, SIZE),
    "mmap": (mapped, SIZE, SIZE),
    "np.zeros, untouched": (untouched_zeros, 0, SIZE),
    "child process": (child, -1, -1),
    "nothing": (nothing, 0, 0),
}


# --- Tools: each measures a callable and gives (resident, allocated), bytes or None ----

# numpy before 2.5 calls malloc() itself.
NATIVE_WORKLOADS = {
    "native malloc",
    "2 native threads",
    "mmap",
    "numpy temporaries",
    "np.zeros, untouched",
}
FIRST_START: dict[str, int] = {}
Figures = tuple[float | None, float | None]


def with_ours(work: Callable[[], object], workload: str) -> Figures:
    from nbprobe import _core

    native = workload in NATIVE_WORKLOADS
    if workload == "child process":
        start = _core.process_tree()[0]
        with _core.ResidentSampler(0.005, children=True) as sampler:
            work()
        return sampler.peak_bytes - start, None
    counted = _core.Allocations(native=native)
    peak = _core.ResidentPeak()
    counted.start()
    peak.start()
    work()
    resident = peak.stop() - peak.start_bytes
    counted.stop()
    if workload == "10^6 small objects":
        # The interpreter keeps a part of it for the next run: from the first start.
        FIRST_START.setdefault(workload, peak.start_bytes)
        resident = peak.peak_bytes - FIRST_START[workload]
    return resident, counted.peak_bytes


def with_memory_profiler(work: Callable[[], object], workload: str) -> Figures:
    from memory_profiler import memory_usage

    children = workload == "child process"
    before = memory_usage(-1, max_usage=True, include_children=children)
    peak = memory_usage(
        (work,), max_usage=True, max_iterations=1, include_children=children
    )
    return (peak - before) * MIB, None


def with_tracemalloc(work: Callable[[], object], workload: str) -> Figures:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return None, peak


def with_memray(work: Callable[[], object], workload: str) -> Figures:
    import memray

    path = Path(tempfile.mkdtemp()) / "capture.bin"
    with memray.Tracker(path, trace_python_allocators=True):
        work()
    try:
        return None, memray.FileReader(path).metadata.peak_memory
    finally:
        shutil.rmtree(path.parent)


def statm() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def proportional() -> int:
    """This process and its children, by psutil."""
    import psutil

    here = psutil.Process()
    return sum(p.memory_full_info().pss for p in [here, *here.children(recursive=True)])


def without_tools(work: Callable[[], object], workload: str) -> Figures:
    look = proportional if workload == "child process" else statm
    seen = [look()]
    maker = child if workload == "child process" else million_objects
    maker(lambda: seen.append(look()))()
    return seen[1] - seen[0], None


TOOLS: dict[str, Callable[[Callable[[], object], str], Figures]] = {
    "ours": with_ours,
    "memory_profiler": with_memory_profiler,
    "tracemalloc": with_tracemalloc,
    "memray": with_memray,
}


def one_measurement(workload: str, tool: str, runs: int) -> None:
    """What a fresh process does: print a line of JSON."""
    work = WORKLOADS[workload][0]()
    if workload != "child process":
        with_ours(nothing(), "nothing")  # what is loaded once is not the workload's
    measured = []
    tools = {**TOOLS, "none": without_tools}
    for _ in range(runs):
        started = time.perf_counter()
        figures = tools[tool](work, workload)
        measured.append((*figures, time.perf_counter() - started))
        gc.collect()
    print(json.dumps(measured))


def measured_apart(workload: str, tool: str, runs: int) -> list[list[Any]] | str:
    command = [sys.executable, __file__, "--one", workload, tool, "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["failed"]
        return lines[-1].split(":")[0]
    result: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return result


def peaks(runs: int, only: str) -> None:
    print(f"Peaks in MB (10^6 bytes) above the start; ours {runs} runs, the others one")
    print(
        f"{'':22}{'truth':>13}{'ours':>34}" + "".join(f"{t:>17}" for t in [*TOOLS][1:])
    )
    for workload, (_, resident, allocated) in WORKLOADS.items():
        if only not in workload:
            continue
        if resident < 0:
            (alone,) = measured_apart(workload, "none", 1)
            resident = alone[0]
        truth = "/".join(
            "?" if x < 0 else f"{x / MB:.0f}" for x in (resident, allocated)
        )
        row = f"{workload:22}{truth:>13}"
        for tool in TOOLS:
            few = min(runs, 10) if workload in ("child process", "mmap") else runs
            result = measured_apart(workload, tool, few if tool == "ours" else 1)
            width = 34 if tool == "ours" else 17
            row += f"{_shown(result, resident):>{width}}"
        print(row, flush=True)


def _shown(result: list[list[Any]] | str, resident: int) -> str:
    if isinstance(result, str):
        return result[:16]
    parts = []
    for column in (0, 1):
        figures = [row[column] for row in result]
        if figures[0] is None:
            parts.append("-")
        elif len(figures) == 1 or max(figures) - min(figures) < 10_000:
            parts.append(f"{figures[0] / MB:.2f}")
        else:
            parts.append(f"{min(figures) / MB:.2f}..{max(figures) / MB:.2f}")
    text = "/".join(parts)
    if len(result) > 1 and result[0][0] is not None and resident >= 0:
        near = sum(abs(row[0] - resident) <= MIB / 2 for row in result)
        text += f" {near}/{len(result)}"
    return text


# --- What an allocation costs ---------------------------------------------------------

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


def cost(turns: int) -> None:
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


# --- What a line costs ------------------------------------------------------------------

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
            return _seconds(lambda: counting(LINES // 2))[0]
        finally:
            engine.stop()

    def theirs() -> float:
        from memory_profiler import LineProfiler

        profiler = LineProfiler()
        measured = profiler(counting)
        # It takes a thousand times as long.
        return _seconds(lambda: measured(LINES // 200))[0] * 100

    modes: dict[str, Callable[[], float]] = {
        "plain": lambda: _seconds(lambda: counting(LINES // 2))[0],
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
        _seconds(lambda: [os.pread(statm, 100, 0) for _ in range(1000)])[0]
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


# --- Snapshots ------------------------------------------------------------------------


def snapshots(blocks: int) -> None:
    """Two looks at `blocks` live blocks from some thousand lines, and their difference."""
    from nbprobe import _core
    from nbprobe._core import Allocations

    lines = "".join(
        f"def f{n}(): return [bytes(20) for _ in range(count)]\n" for n in range(2000)
    )
    space: dict[str, Any] = {"count": blocks // 2000}
    exec(compile(lines, "lines.py", "exec"), space)
    makers = [space[f"f{number}"] for number in range(2000)]

    print(
        f"\n{blocks:,} live blocks from 2,000 lines: seconds for two snapshots and their difference"
    )
    with Allocations(_core.ALLOCATIONS_SITES) as counted:
        kept = [maker() for maker in makers[:1000]]
        first_s, first = _seconds(counted.table)
        kept += [maker() for maker in makers[1000:]]
        second_s, second = _seconds(counted.table)
    compare_s, _ = _seconds(
        lambda: {
            key: tuple(
                a - b for a, b in zip(row, first.get(key, (0,) * 8), strict=True)
            )
            for key, row in second.items()
            if row != first.get(key)
        }
    )
    ours = first_s + second_s + compare_s
    print(f"ours         {first_s:.4f} + {second_s:.4f} + {compare_s:.4f} = {ours:.4f}")
    assert counted.current_blocks >= 0.99 * blocks
    kept.clear()
    tracemalloc.start(1)
    kept = [maker() for maker in makers[:1000]]
    first_s, one = _seconds(tracemalloc.take_snapshot)
    kept += [maker() for maker in makers[1000:]]
    second_s, two = _seconds(tracemalloc.take_snapshot)
    compare_s, _ = _seconds(lambda: two.compare_to(one, "lineno"))
    tracemalloc.stop()
    theirs = first_s + second_s + compare_s
    print(
        f"tracemalloc  {first_s:.4f} + {second_s:.4f} + {compare_s:.4f} = {theirs:.4f}"
    )
    print(f"ratio {theirs / ours:.0f}")


def _seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def pool() -> None:
    """Four forked workers that share an array of 200 MB and have 50 MB each."""
    from nbprobe import _core

    shared = bytearray(SIZE)
    workers = []
    for _ in range(4):
        ready, done = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(done[1])
            own = bytearray(SIZE // 4)
            sum(shared[:: mmap.PAGESIZE])
            os.write(ready[1], b"x")
            os.read(done[0], 1)
            os._exit(len(own) == 0)
        os.close(done[0])
        os.read(ready[0], 1)
        workers.append((pid, done[1]))
    ours, processes = _core.process_tree()
    truth = proportional()
    added = sum(_core.process_memory(pid)[0] for pid, _ in workers) + _core.resident()
    for pid, end in workers:
        os.write(end, b"x")
        os.close(end)
        os.waitpid(pid, 0)
    print(
        f"\npool of 4 on shared 200 MB: ours {ours / MB:.1f} MB of {processes} processes,"
        f" proportional by psutil {truth / MB:.1f} ({abs(ours / truth - 1):.2%} off),"
        f" resident added up {added / MB:.0f}"
    )


def no_op(turns: int) -> None:
    """What it takes to measure nothing, as %memit does."""
    times = [
        _seconds(lambda: with_ours(lambda: None, "nothing"))[0] for _ in range(turns)
    ]
    print(f"\nmeasuring nothing: {statistics.median(times) * 1e6:.0f} us (ours)")
    try:
        from memory_profiler import memory_usage
    except ImportError as error:
        print(f"memory_profiler: {error}")
        return
    took = min(
        _seconds(lambda: memory_usage((lambda: None,), max_iterations=1))[0]
        for _ in range(3)
    )
    print(f"                   {took * 1e6:.0f} us (memory_profiler)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "part", nargs="?", choices=["peaks", "cost", "lines", "snapshots"]
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=2_000_000)
    parser.add_argument("--only", default="", help="workloads with this in their name")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_measurement(*options.one, options.runs)
        return
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    if options.part in (None, "peaks"):
        peaks(options.runs, options.only)
        no_op(50)
        pool()
    if options.part in (None, "cost"):
        cost(options.turns)
    if options.part in (None, "lines"):
        lines(options.turns)
    if options.part in (None, "snapshots"):
        snapshots(options.blocks)


if __name__ == "__main__":
    main()
