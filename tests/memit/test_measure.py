"""`measure`: exact figures, and what a run leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbprobe import load
from nbprobe._core import Allocations
from nbprobe.memit import MemoryResult, allocated, measure
from nbprobe.memit.engine import Settings, measure_call

from ..patience import at_best

MIB = 2**20


def short_peak() -> None:
    bytearray(200 * MIB)


def undisturbed(func: Callable[..., Any], *args: Any) -> MemoryResult:
    """Measure until no other thread of the test process allocates meanwhile.

    Every thread is counted, and some may be left from other tests: IPython's history.
    """
    return min((measure(func, *args) for _ in range(9)), key=lambda it: it.allocations)


@at_best
def test_a_short_peak_is_exact() -> None:
    short_peak()
    result = measure(short_peak)
    assert abs(result.increment_rss - 200 * MIB) < MIB / 2
    assert 0 < result.peak_allocated - 200 * MIB < 200
    # At the most a tuple that went to the interpreter's free list.
    assert result.retained_bytes < 100
    assert result.exact


def test_nothing_is_nothing() -> None:
    measure(int)  # what is made at the first use only
    result = undisturbed(lambda: None)
    run = result.run
    assert (run.allocated_bytes, run.allocations, run.peak_allocated) == (0, 0, 0)
    assert result.increment_rss < MIB / 4


def test_the_same_call_has_the_same_figures() -> None:
    def make() -> list[list[int]]:
        return [[i] for i in range(2000)]

    make()
    first, second = measure(make), measure(make)
    # Lists of the free list are no allocations: their number may differ.
    assert abs(first.allocated_bytes - second.allocated_bytes) < 20_000
    assert undisturbed(bytes, 5000).allocated_bytes == 5033
    assert min(allocated(bytes, 5000) for _ in range(9)) == 5033


@at_best
def test_untouched_memory_is_allocated_and_not_resident() -> None:
    numpy = pytest.importorskip("numpy")
    result = measure(numpy.zeros, 200 * MIB // 8)
    assert result.increment_rss < MIB
    version = tuple(map(int, numpy.__version__.split(".")[:2]))
    if version >= (2, 5):  # older ones do not ask Python's allocators
        assert abs(result.peak_allocated - 200 * MIB) < 1000


def test_all_are_whole_numbers() -> None:
    result = measure(bytes, 1000)
    for name in (
        "peak_rss",
        "increment_rss",
        "allocated_bytes",
        "allocations",
        "peak_allocated",
        "retained_bytes",
    ):
        assert type(getattr(result, name)) is int
    assert result.mem_usage == [result.peak_rss / MIB]
    assert result.baseline == result.runs[0].start_rss / MIB


def test_every_thread_is_counted() -> None:
    def both() -> None:
        threads = [
            threading.Thread(target=bytearray, args=(20 * MIB,)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 40 * MIB < measure(both).allocated_bytes < 41 * MIB


def test_a_thread_that_was_there_before_is_counted_too() -> None:
    go, done = threading.Event(), threading.Event()

    def later() -> None:
        go.wait()
        bytearray(5 * MIB)
        done.set()

    def work() -> None:
        go.set()
        done.wait()

    thread = threading.Thread(target=later)
    thread.start()
    assert 5 * MIB < measure(work).allocated_bytes < 6 * MIB
    thread.join()


KEPT: list[Any] = []


class Thing:
    pass


def keep() -> None:
    KEPT.append([Thing(), "x" * (300 + len(KEPT))])


def test_what_is_kept_has_a_type_and_a_line() -> None:
    result = measure(keep)
    kinds = {kind.type.rpartition(".")[2]: kind for kind in result.kept}
    assert kinds["Thing"].objects == 1
    assert kinds["str"].bytes > 300
    lines = [place for place, site in result.lines() if site.alive_bytes > 300]
    assert [(place.function, place.users) for place in lines] == [("keep", True)]
    assert "KEPT.append" in lines[0].text
    assert result.retained_bytes > 300


def test_leaks_are_what_every_run_leaves_behind() -> None:
    result = measure_call(keep, (), {}, Settings(leaks=True))
    assert len(result.runs) == 2
    found = {it.type.rpartition(".")[2]: it for it in result.survivors}
    assert found["Thing"].objects == 1
    (way, *_) = found["Thing"].held_by
    assert "KEPT[" in way
    # What replaces its own last value is no leak.
    names: dict[str, Any] = {}
    result = measure_call(names.update, ({"a": Thing()},), {}, Settings(leaks=True))
    assert result.survivors == ()


def test_an_exception_passes_as_it_is() -> None:
    error = LookupError("mine")

    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as raised:
        measure(fail)
    assert raised.value is error
    assert undisturbed(bytes, 1000).allocations == 1


def test_runs_are_as_many_as_asked() -> None:
    calls: list[int] = []
    result = measure_call(calls.append, (1,), {}, Settings(repeat=5))
    assert (len(calls), len(result.runs)) == (5, 5)
    calls.clear()
    measure_call(calls.append, (1,), {}, Settings(repeat=5, timeout_s=1e-9))
    assert len(calls) == 1


def test_children_are_counted_once_and_not_killed() -> None:
    shared = bytearray(b"x") * (60 * MIB)

    def pool() -> None:
        pids = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                try:
                    signal.sigtimedwait([], 0.3)
                finally:
                    os.kill(os.getpid(), signal.SIGKILL)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)

    with subprocess.Popen(["sleep", "30"]) as innocent:
        settings = Settings(children=True, interval_s=0.02)
        result = measure_call(pool, (), {}, settings)
        assert innocent.poll() is None
        innocent.kill()
    assert 0 <= result.increment_rss < 50 * MIB
    assert not result.exact
    assert shared[0] == ord("x")


def test_tracemalloc_goes_on() -> None:
    tracemalloc.start()
    try:
        measure(short_peak)
        data = bytearray(5 * MIB)
        assert tracemalloc.get_traced_memory()[0] > 5 * MIB
        del data
    finally:
        tracemalloc.stop()


def test_a_result_is_saved_and_compared(tmp_path: Path) -> None:
    before, after = undisturbed(bytearray, 2000), undisturbed(bytearray, 1000)
    before.save(tmp_path / "r.json")
    loaded = load(tmp_path / "r.json")
    assert isinstance(loaded, MemoryResult)
    assert loaded == before
    change = loaded.diff(after)
    figures = {name: (one, two) for name, one, two in change.figures()}
    assert figures["allocated"][0] - figures["allocated"][1] == 1000
    assert "less at once" in str(change)


class History(threading.Thread):
    """Looks like IPython's thread that writes down what was typed in."""

    __module__ = "IPython.core.history"

    def __init__(self) -> None:
        super().__init__()
        self.begin, self.done, self.over = (threading.Event() for _ in range(3))
        self.kept: list[bytearray] = []

    def run(self) -> None:
        while self.begin.wait() and not self.over.is_set():
            self.begin.clear()
            self.kept.append(bytearray(3 * MIB))
            self.done.set()

    def work(self) -> None:
        self.done.clear()
        self.begin.set()
        self.done.wait()

    def end(self) -> None:
        self.over.set()
        self.begin.set()
        self.join()


def test_the_kernels_own_threads_are_not_counted() -> None:
    from nbprobe.memit import snapshots

    history = History()
    history.start()
    try:
        result = measure(history.work)
        leaks = measure_call(history.work, (), {}, Settings(leaks=True))
        with snapshots.Tracer() as tracer:
            history.work()
            snapshot = tracer.snapshot()
        with Allocations() as counted:
            history.work()
    finally:
        history.end()
    assert result.peak_allocated < MIB and leaks.peak_allocated < MIB
    assert "bytearray" not in [it.type for it in leaks.survivors]
    assert sum(site.alive_bytes for site in snapshot.sites) < MIB
    assert "bytearray" not in [it.type for it in snapshot.kinds]
    # But that is over.
    assert counted.allocated_bytes >= 3 * MIB
