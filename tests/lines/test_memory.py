"""What lines allocate and free, to the byte."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from nbprobe._core import LineEngine

from .conftest import hits, how, measuring, sealed


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    """What the collector frees belongs to the line that it happens to interrupt."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Traffic(NamedTuple):
    allocated_bytes: int
    allocated_blocks: int
    freed_bytes: int
    freed_blocks: int


NOTHING = Traffic(0, 0, 0, 0)


class Row(NamedTuple):
    all: Traffic
    own: Traffic
    peak: int
    own_peak: int


def memory(
    engine: LineEngine, function: Any, thread: int | None = None
) -> dict[int, Row]:
    """Rows by line from the line of ``def``."""
    for code, _, rows in engine.memory_lines(thread):
        if code is function.__code__:
            return {
                row[0] - code.co_firstlineno: Row(
                    Traffic(*row[1]), Traffic(*row[2]), row[3], row[4]
                )
                for row in rows
            }
    raise AssertionError


def settled(engine: LineEngine, function: Any, *args: Any) -> None:
    """Call it, and count from its second call on.

    The interpreter itself may allocate when it runs a code object for the first time:
    what sys.monitoring wants to know of it, once anybody in the process has asked.
    """
    function(*args)
    engine.reset()
    function(*args)


def block(n: int) -> int:
    """Bytes of ``bytearray(n)``: the object, and its buffer."""
    return sys.getsizeof(bytearray(n))


def new(n: int) -> Traffic:
    return Traffic(block(n), 2, 0, 0)


def gone(n: int) -> Traffic:
    return Traffic(0, 0, block(n), 2)


def test_blocks_are_those_of_their_lines() -> None:
    def work() -> None:
        first = bytearray(10_000)
        second = bytearray(200)
        del first
        second.clear()

    with measuring(work, memory=True) as engine:
        settled(engine, work)
    rows = memory(engine, work)
    assert rows[1] == Row(new(10_000), new(10_000), block(10_000), block(10_000))
    assert rows[2] == Row(new(200), new(200), block(200), block(200))
    assert rows[3] == Row(gone(10_000), gone(10_000), 0, 0)
    # A bytearray keeps a byte when it is cleared, by a smaller buffer or the same one.
    assert rows[4].all.freed_bytes in (0, 201)


def test_lists() -> None:
    def work(n: int) -> int:
        values = [None] * n
        values *= 2
        return len(values)

    spare = [[] for _ in range(10)]  # type: ignore[var-annotated]
    del spare  # so that the list object itself comes from the interpreter's own store
    with measuring(work, memory=True) as engine:
        settled(engine, work, 5000)
    rows = memory(engine, work)
    # The list [None] of 8 bytes is there until the long one is.
    assert rows[1].all == Traffic(8 * 5000 + 8, 2, 8, 1)
    assert rows[1].peak == 8 * 5000 + 8
    # A realloc is a free and an allocation; the list may ask for some room to grow.
    added = rows[2].all
    assert added.allocated_bytes - added.freed_bytes in range(40_000, 46_000)
    assert added.freed_bytes == 40_000


def test_a_peak_within_a_line() -> None:
    def work() -> None:
        bytearray(30_000)
        bytearray(70_000)

    with measuring(work, memory=True) as engine:
        settled(engine, work)
    rows = memory(engine, work)
    assert rows[1] == Row(
        Traffic(block(30_000), 2, block(30_000), 2),
        Traffic(block(30_000), 2, block(30_000), 2),
        block(30_000),
        block(30_000),
    )
    assert rows[2].peak == block(70_000)


def test_self_and_all_of_a_line_that_calls() -> None:
    def callee() -> bytearray:
        bytearray(9000)
        return bytearray(50)

    def not_measured() -> bytearray:
        bytearray(700)
        return bytearray(60)

    def caller() -> None:
        kept = callee()
        kept += not_measured()

    with measuring(caller, callee, memory=True) as engine:
        settled(engine, caller)
    rows = memory(engine, caller)
    assert rows[1].own == NOTHING
    assert rows[1].all.allocated_bytes == block(9000) + block(50)
    assert rows[1].all.freed_bytes == block(9000)
    assert rows[1].peak == block(9000)
    assert rows[1].own_peak == block(50)
    assert rows[2].own == rows[2].all
    assert rows[2].all.allocated_bytes >= block(700) + block(60)
    assert memory(engine, callee)[2].all == new(50)


def test_recursion_counts_the_outermost_call() -> None:
    def recurse(n: int) -> None:
        kept = bytearray(1000)
        if n:
            recurse(n - 1)
        del kept

    with measuring(recurse, memory=True) as engine:
        settled(engine, recurse, 9)
    rows = memory(engine, recurse)
    assert rows[1].all == Traffic(10 * block(1000), 20, 0, 0)
    assert rows[1].peak == block(1000)
    assert rows[3].all == Traffic(9 * block(1000), 18, 9 * block(1000), 18)
    assert rows[3].own == NOTHING
    assert rows[3].peak == 9 * block(1000)
    assert rows[4].all == Traffic(0, 0, 10 * block(1000), 20)


def test_generators_and_their_callers() -> None:
    def numbers(n: int) -> Any:
        for k in range(n):
            kept = bytearray(100 + k)
            yield len(kept)
            del kept

    def caller() -> int:
        total = 0
        for k in numbers(3):
            total += len(bytearray(5000 + k))
        return total

    with measuring(numbers, caller, memory=True) as engine:
        settled(engine, caller)
    rows, of_caller = memory(engine, numbers), memory(engine, caller)
    each = sum(block(100 + k) for k in range(3))
    assert rows[2].all == Traffic(each, 6, 0, 0)
    assert rows[4].all == Traffic(0, 0, each, 6)
    assert rows[3].own.allocated_bytes == 0
    # Besides, the caller makes some numbers.
    assert of_caller[3].own.allocated_bytes - 3 * block(5001) in range(600)
    assert of_caller[3].own == of_caller[3].all


def test_coroutines_that_take_turns() -> None:
    async def one(n: int) -> int:
        kept = bytearray(n)
        await asyncio.sleep(0)
        return len(kept)

    async def main() -> None:
        await asyncio.gather(one(10_000), one(20_000))

    with measuring(one, memory=True) as engine:
        settled(engine, lambda: asyncio.run(main()))
    rows = memory(engine, one)
    assert rows[1].all == Traffic(block(10_000) + block(20_000), 4, 0, 0)
    assert rows[1].peak == block(20_000)


def test_exceptions() -> None:
    def fails(n: int) -> None:
        kept = bytearray(n)
        raise ValueError(len(kept))

    def caller() -> None:
        for n in (1000, 2000):
            try:
                fails(n)
            except ValueError:
                pass
            bytearray(300)

    with measuring(fails, caller, memory=True) as engine:
        settled(engine, caller)
    rows, of_caller = memory(engine, fails), memory(engine, caller)
    assert rows[1].all == Traffic(block(1000) + block(2000), 4, 0, 0)
    assert of_caller[6].own == Traffic(2 * block(300), 4, 2 * block(300), 4)
    assert of_caller[3].all.allocated_bytes >= block(1000) + block(2000)


def test_threads_have_counters_of_their_own() -> None:
    def work(n: int, turn: threading.Barrier) -> None:
        for _ in range(3):
            turn.wait()
            kept = bytearray(n)
            turn.wait()
            del kept

    turn = threading.Barrier(2)
    with measuring(work, memory=True) as engine:
        threads = [
            threading.Thread(target=work, args=(n, turn)) for n in (10_000, 70_000)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = sorted(
        memory(engine, work, number)[3] for number in engine.threads() if number
    )
    assert [row.all for row in found] == [
        Traffic(3 * block(10_000), 6, 0, 0),
        Traffic(3 * block(70_000), 6, 0, 0),
    ]
    assert [row.peak for row in found] == [block(10_000), block(70_000)]
    assert memory(engine, work)[3].all.allocated_blocks == 12
    assert memory(engine, work)[5].all.freed_blocks == 12


def test_what_another_thread_frees_is_its_own() -> None:
    kept: list[bytearray] = []

    def fill() -> None:
        kept.append(bytearray(10_000))

    def empty() -> None:
        kept.pop()

    with measuring(fill, empty, memory=True) as engine:
        fill()
        thread = threading.Thread(target=empty)
        thread.start()
        thread.join()
    assert memory(engine, fill)[1].all.freed_blocks == 0
    row = memory(engine, empty)[1]
    assert row.all.freed_bytes >= block(10_000)
    assert row.peak == 0


def test_code_without_probes() -> None:
    def guarded(n: int) -> int:
        try:
            return len(bytearray(100_000 // n))
        except ZeroDivisionError:
            return 0

    function: Any = sealed(guarded)
    with measuring(function, memory=True) as engine:
        assert [function(n) for n in (1, 0)] == [100_000, 0]
        assert "probes" not in how(engine, function)
    # Events of the interpreter allocate a little themselves.
    row = memory(engine, function)[2]
    assert block(100_000) <= row.all.allocated_bytes < block(100_000) + 2000
    assert block(100_000) <= row.peak < block(100_000) + 2000


def test_lines_are_counted_and_timed_as_ever() -> None:
    def work(n: int) -> int:
        total = 0
        for k in range(n):
            total += k
        return total

    with measuring(work, memory=True) as engine:
        settled(engine, work, 5)
    assert hits(engine, work) == {1: 1, 2: 6, 3: 5, 4: 1}
    for (code, how_, rows), (same, how_memory, of_memory) in zip(
        engine.lines(), engine.memory_lines(), strict=True
    ):
        assert code is same
        assert how_ == how_memory
        assert [row[0] for row in rows] == [row[0] for row in of_memory]


def test_reset_starts_from_nothing() -> None:
    def work() -> bytearray:
        return bytearray(1000)

    engine = LineEngine(memory=True)
    engine.add(work)
    for _ in range(2):
        engine.start()
        work()
        engine.stop()
    assert memory(engine, work)[1].all.allocated_blocks == 4
    engine.reset()
    assert memory(engine, work)[1] == Row(NOTHING, NOTHING, 0, 0)


def test_two_engines_see_the_same() -> None:
    def work() -> None:
        kept = bytearray(1000)
        del kept

    code = work.__code__
    engines = [LineEngine(memory=True) for _ in range(2)]
    for engine in engines:
        engine.add(work)
        engine.start()
    work()
    for engine in reversed(engines):
        engine.stop()
    assert work.__code__ is code
    for engine in engines:
        (_, _, rows), *_ = engine.memory_lines()
        own = [Traffic(*row[2]) for row in rows]
        assert new(1000) in own
        assert gone(1000) in own


def allocators() -> list[bytes]:
    """The functions that Python allocates with, by domain."""
    found = []
    for domain in range(3):
        functions = (ctypes.c_void_p * 5)()
        ctypes.pythonapi.PyMem_GetAllocator(domain, functions)
        found.append(bytes(functions))
    return found


@pytest.mark.parametrize("ends_by", ["stop", "del", "error"])
def test_the_allocators_are_put_back(ends_by: str) -> None:
    def work() -> None:
        bytearray(1000)

    before = allocators()
    engine = LineEngine(memory=True)
    engine.add(work)
    assert allocators() == before
    engine.start()
    work()
    assert allocators() != before
    if ends_by == "del":
        del engine
    elif ends_by == "stop":
        engine.stop()
    else:
        with pytest.raises(TypeError):
            engine.add(3)  # type: ignore[arg-type]
        assert engine.running
        engine.stop()
    assert allocators() == before


def test_without_memory_nothing_is_hooked() -> None:
    def work() -> None:
        pass

    before = allocators()
    with measuring(work) as engine:
        assert not engine.memory
        assert allocators() == before
        work()
    with pytest.raises(ValueError, match="does not measure memory"):
        engine.memory_lines()
    with pytest.raises(TypeError):
        LineEngine(True)  # type: ignore[misc]


def test_what_is_resident_is_read_as_lines_end() -> None:
    def work() -> int:
        kept = bytearray(50 * 2**20)
        kept[:] = b"x" * len(kept)
        del kept
        return 1

    engine = LineEngine(resident=True)
    assert engine.memory
    engine.add(work)
    engine.start()
    work()
    engine.stop()
    ((code, _, rows),) = engine.resident_lines()
    assert code is work.__code__
    used = {line - code.co_firstlineno: bytes_ for line, bytes_ in rows}
    assert used[2] - used[4] > 45 * 2**20
    with measuring(work, memory=True) as engine:
        work()
    assert {row[1] for row in engine.resident_lines()[0][2]} == {0}
    with pytest.raises(ValueError, match="does not measure memory"):
        LineEngine().resident_lines()
