"""Known peaks, as each tool measures them.

A tool measures a callable, and gives what was resident and what was allocated at the most:
bytes, or None.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .timing import seconds
from .workloads import MB, SIZE, WORKLOADS, child, million_objects, nothing

MIB = 1 << 20

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
    command = [
        sys.executable,
        sys.argv[0],
        "--one",
        workload,
        tool,
        "--runs",
        str(runs),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["failed"]
        return lines[-1].split(":")[0]
    result: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return result


def table(runs: int, only: str) -> None:
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
        seconds(lambda: with_ours(lambda: None, "nothing"))[0] for _ in range(turns)
    ]
    print(f"\nmeasuring nothing: {statistics.median(times) * 1e6:.0f} us (ours)")
    try:
        from memory_profiler import memory_usage
    except ImportError as error:
        print(f"memory_profiler: {error}")
        return
    took = min(
        seconds(lambda: memory_usage((lambda: None,), max_iterations=1))[0]
        for _ in range(3)
    )
    print(f"                   {took * 1e6:.0f} us (memory_profiler)")
