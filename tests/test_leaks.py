"""Nothing is kept that a call does not return: no memory, no file descriptor."""

from __future__ import annotations

import asyncio
import atexit
import gc
import operator
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from nbprobe import _core
from nbprobe.graphs import asized, asizeof
from nbprobe.timeit import measure

CALLS = 300
# One block a call would be CALLS of them; a few belong to the measurement itself.
FEW_BLOCKS = CALLS // 10

SERIES = [1.0, 2.0, 4.0, 8.0, 16.0]


def loop() -> None:
    timed = _core.Loop()
    timed.arm(300)  # more than one sample table holds at first
    for _ in timed:
        pass
    timed.samples()
    marked = _core.Loop(timed=False)
    for _ in range(600):
        operator.invert(marked)


def events() -> None:
    with _core.Counters() as counters:
        counters.start()
        counters.stop()


def resident() -> None:
    with _core.ResidentPeak(), _core.ResidentPeak(sampled=True):
        _core.process_tree()
    with _core.ResidentSampler(capacity=2) as sampler:
        sampler.samples()
    with pytest.raises(ProcessLookupError):
        _core.resident(2**30)


def allocations() -> None:
    with (
        _core.Allocations(_core.ALLOCATIONS_COUNTS),
        _core.Allocations(_core.ALLOCATIONS_SITES, frames=9) as counted,
    ):
        [object() for _ in range(1000)]
        counted.table("traceback")
    counted.start()


def sampler() -> None:
    looking = _core.Sampler(20_000)
    looking.start()
    looking.table()
    looking.stop()
    looking.spans()
    looking.stats()


def prepared_module() -> None:
    code = compile("def function():\n    pass\n", "<module>", "exec")
    engine = _core.LineEngine()
    engine.start(everywhere=False)
    engine.add(code.co_consts[0], None, True)
    engine.prepare(code)
    engine.stop()


# One for all rounds: what a new loop fills up in asyncio takes a thousand rounds.
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


async def task() -> None:
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))


def calls() -> None:
    recording = _core.Calls(tasks=True, memory=True)
    recording.runcall(LOOP.run_until_complete, task())
    recording.codes()
    recording.table()
    recording.clear()


def failing_statement() -> None:
    with pytest.raises(ZeroDivisionError):
        measure("1 / zero", "zero = 0", globals={}, budget=0.001)


def picture() -> None:
    chain = [(number, number + 1, {"label": "x"}) for number in range(9)]
    _core.draw([{"label": "node"}] * 10, chain, {"rankdir": "LR"})
    with pytest.raises(ValueError, match="out of range"):
        _core.draw([{"label": "node"}], [(0, 1, {})], {})


def small_heap() -> _core.Heap:
    """Give the heap of a process that holds little."""
    code = "from nbprobe import _core; _core.Heap(()).write(1, '')"
    saved = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True
    )
    return _core.Heap.read(saved.stdout)


SAVED = small_heap()


def whole_heap() -> None:
    """Every question to a heap; of one that is kept, because 300 new ones take a minute."""
    content = SAVED.unreached_set()
    SAVED.path(9)
    SAVED.references_of(9, True)
    SAVED.nodes(None, 9)
    SAVED.largest(content, False, 3)
    SAVED.set_of([1, 2, 3])
    with pytest.raises(ValueError, match="not a set"):
        SAVED.total(b"")
    with pytest.raises(ValueError, match="not a heap"):
        _core.Heap.read(b"x" * 4000)


# What is called again and again; add a callable for each function that allocates.
LEAK_FREE: dict[str, Callable[[], object]] = {
    "build_config": _core.build_config,
    "Loop": loop,
    "Counters": events,
    "resident memory": resident,
    "Allocations": allocations,
    "Calls": calls,
    "LineEngine.prepare": prepared_module,
    "Sampler": sampler,
    "mean_interval": lambda: _core.mean_interval(SERIES),
    "quantile": lambda: _core.quantile(SERIES, 0.3),
    "outliers": lambda: _core.outliers(SERIES),
    "steady_from": lambda: _core.steady_from(SERIES),
    "fit_power": lambda: _core.fit_power(SERIES, SERIES),
    "fit_complexity": lambda: _core.fit_complexity(SERIES, SERIES),
    "Heap": whole_heap,
    "asizeof": lambda: asizeof(SERIES, {"x": SERIES}),
    "asized": lambda: asized({"x": SERIES}, detail=2),
    "draw": picture,
    "running_holders": lambda: _core.running_holders([SERIES], ("nbprobe",)),
    "measure": lambda: measure("zero", "zero = 0", globals={}, number=2, repeat=2),
    "measure, failing": failing_statement,
}

counts_blocks = pytest.mark.skipif(
    sys.getallocatedblocks() == 0,
    reason="no blocks are counted with PYTHONMALLOC=malloc",
)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


@pytest.fixture(scope="module", autouse=True)
def collections_are_quick() -> Iterator[None]:
    """Set aside what the tests before these have left: every collection looks at it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def growth(call: Callable[[], object], calls: int = CALLS) -> tuple[int, int]:
    """Memory blocks and file descriptors that `calls` calls leave behind.

    The least of the rounds, of which there are eight at the most: the interpreter's caches
    and free lists fill up in the first thousand calls, a leak grows with every round.
    """
    least_blocks = least_files = sys.maxsize
    for _ in range(8):
        gc.collect()
        blocks, files = sys.getallocatedblocks(), open_files()
        for _ in range(calls):
            call()
        gc.collect()
        least_blocks = min(least_blocks, sys.getallocatedblocks() - blocks)
        least_files = min(least_files, open_files() - files)
        if least_blocks < FEW_BLOCKS and least_files <= 0:
            break
    return least_blocks, least_files


@counts_blocks
@pytest.mark.parametrize("name", LEAK_FREE)
def test_repeated_calls_leave_nothing(name: str) -> None:
    blocks, files = growth(LEAK_FREE[name])
    assert blocks < FEW_BLOCKS, f"{blocks} blocks kept by {CALLS} calls"
    assert files <= 0, f"{files} file descriptors kept by {CALLS} calls"


@counts_blocks
def test_the_measurement_sees_a_leak() -> None:
    kept: list[object] = []
    blocks, _ = growth(lambda: kept.append(object()))
    assert blocks >= 0.9 * CALLS  # others give blocks back meanwhile


def test_the_measurement_sees_an_open_file() -> None:
    kept: list[int] = []
    try:
        _, files = growth(
            lambda: kept.append(os.open(os.devnull, os.O_RDONLY)), calls=20
        )
    finally:
        for descriptor in kept:
            os.close(descriptor)
    assert files == 20
