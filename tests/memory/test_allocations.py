"""What Python's allocators give out and take back, counted to the byte."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from nbprobe import _core
from nbprobe._core import Allocations

COUNTS = _core.ALLOCATIONS_COUNTS
EXACT = _core.ALLOCATIONS_EXACT
SITES = _core.ALLOCATIONS_SITES
LEVELS = [COUNTS, EXACT, SITES]

# Bytes that a bytes object takes beside its text, and those that PyMem_Malloc is asked for.
HEADER = sys.getsizeof(b"")


def blocks(size: int, count: int) -> list[bytes]:
    return [bytes(size) for _ in range(count)]


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_nothing(level: int) -> None:
    for _ in range(10):
        with Allocations(level) as counted:
            pass
        assert counted.allocations == counted.allocated_bytes == 0
        assert counted.peak_bytes == counted.current_bytes == 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [1, 100, 511, 600, 10_000, 5_000_000])
def test_one_block_to_the_byte(level: int, size: int) -> None:
    """Large ones go through two domains, and are still one."""
    with Allocations(level) as counted:
        block = bytes(size)
    assert (counted.allocations, counted.allocated_bytes) == (1, size + HEADER)
    if level > COUNTS:
        assert (counted.current_blocks, counted.current_bytes) == (1, size + HEADER)
        assert (counted.peak_blocks, counted.peak_bytes) == (1, size + HEADER)
    del block


@pytest.mark.parametrize("level", [EXACT, SITES])
def test_the_peak_is_what_was_alive_at_once(level: int) -> None:
    with Allocations(level) as counted:
        first = bytes(10_000)
        del first
        second = bytes(30_000)
        del second
        third = bytes(20_000)
    assert counted.allocated_bytes == 60_000 + 3 * HEADER
    assert counted.freed_bytes == 40_000 + 2 * HEADER
    assert (counted.peak_bytes, counted.peak_blocks) == (30_000 + HEADER, 1)
    assert (counted.current_bytes, counted.frees) == (20_000 + HEADER, 2)
    del third


def test_a_peak_can_start_again() -> None:
    with Allocations() as counted:
        kept = bytes(10_000)
        gone = bytes(50_000)
        del gone
        counted.reset_peak()
        later = bytes(20_000)
        del later
    assert counted.peak_bytes == 30_000 + 2 * HEADER
    counted.reset_peak()  # of one that is closed: nothing happens
    assert counted.peak_bytes == 30_000 + 2 * HEADER
    del kept


@pytest.mark.parametrize("level", [EXACT, SITES])
def test_older_blocks_are_ignored(level: int) -> None:
    old = blocks(2000, 100)
    with Allocations(level) as counted:
        old.clear()
        new = bytes(3000)
        del new
    assert (counted.frees, counted.freed_bytes) == (1, 3000 + HEADER)
    assert counted.current_bytes == 0


def test_a_block_that_grows_is_a_free_and_an_allocation() -> None:
    with Allocations() as counted:
        text = bytearray(1000)
        text.extend(bytes(9_000))
    assert counted.allocations - counted.frees == 2  # the object and its buffer
    assert 10_000 < counted.current_bytes < 20_000
    assert counted.allocated_bytes > counted.current_bytes + 10_000
    assert counted.allocated_bytes - counted.freed_bytes == counted.current_bytes
    del text


def test_measurements_overlap() -> None:
    """Each counts what is younger than itself, and frees of that only."""
    outer, inner, counts = Allocations(), Allocations(SITES), Allocations(COUNTS)
    outer.start()
    first = bytes(10_000)
    inner.start()
    counts.start()
    second = bytes(20_000)
    del first
    outer.stop()
    third = bytes(40_000)
    del second
    inner.stop()
    fourth = bytes(80_000)
    counts.stop()
    h = HEADER
    assert (outer.allocated_bytes, outer.freed_bytes) == (30_000 + 2 * h, 10_000 + h)
    assert (outer.peak_bytes, outer.current_bytes) == (30_000 + 2 * h, 20_000 + h)
    assert (inner.allocated_bytes, inner.freed_bytes) == (60_000 + 2 * h, 20_000 + h)
    assert (inner.peak_bytes, inner.current_bytes) == (60_000 + 2 * h, 40_000 + h)
    assert counts.allocated_bytes == 140_000 + 3 * h
    del third, fourth


def test_measurements_in_thousands_of_epochs() -> None:
    """Ages have 16 bits: after 65,535 starts inside of one they are numbered anew."""
    with Allocations() as outer:
        old = bytes(10_000)
        for _ in range(66_000):
            with Allocations() as inner:
                pass
        middle, inner = Allocations(), Allocations()
        middle.start()
        inner.start()
        young = bytes(20_000)
        del old, young
        inner.stop()
        middle.stop()
    assert (inner.freed_bytes, middle.freed_bytes) == (20_000 + HEADER,) * 2
    assert outer.peak_bytes >= 30_000 + 2 * HEADER
    assert outer.freed_bytes >= 30_000 + 2 * HEADER


def test_starting_again_starts_at_nothing() -> None:
    counted = Allocations(SITES)
    counted.start()
    kept = bytes(1000)
    with pytest.raises(RuntimeError, match="has been started"):
        counted.start()
    counted.stop()
    counted.stop()
    assert counted.allocations >= 1
    counted.start()
    counted.stop()
    assert (counted.allocations, counted.peak_bytes, counted.table()) == (0, 0, {})
    del kept


def test_all_threads_count() -> None:
    kept: list[list[bytes]] = []

    def work() -> None:
        kept.append(blocks(50_000, 40))

    threads = [threading.Thread(target=work) for _ in range(4)]
    with Allocations() as exact, Allocations(COUNTS) as counts:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 8_000_000 < exact.current_bytes < 8_200_000
    assert exact.peak_bytes >= exact.current_bytes
    assert counts.allocated_bytes >= 8_000_000


def test_threads_without_the_gil_count() -> None:
    """zlib and hashlib allocate through PyMem_RawMalloc without the GIL."""
    import hashlib
    import zlib

    data = os.urandom(300_000)

    def work() -> None:
        for _ in range(5):
            hashlib.sha256(data).digest()
            zlib.compress(data, 1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    with Allocations(SITES, frames=5) as counted:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counted.allocations > 15
    # But for what the interpreter keeps of threads that have ended.
    assert counted.current_bytes < 100_000
    assert counted.allocated_bytes - counted.freed_bytes == counted.current_bytes


# --- By place -------------------------------------------------------------------------


def line_of(function: Callable[..., Any], offset: int) -> tuple[str, int]:
    code = function.__code__
    return code.co_filename, code.co_firstlineno + offset


def keeps() -> list[bytes]:
    kept = [bytes(1000)]
    for _ in range(5):
        bytes(2000)
    peak = bytes(50_000)
    del peak
    return kept


def test_costs_by_line() -> None:
    with Allocations(SITES) as counted:
        kept = keeps()
    table = counted.table()
    h = HEADER
    assert table[line_of(keeps, 3)] == (
        *(5 * (2000 + h), 5),  # allocated
        *(0, 0),  # at the peak
        *(5 * (2000 + h), 5),  # temporary
        *(0, 0),  # alive
    )
    assert table[line_of(keeps, 4)][:6] == (50_000 + h, 1) * 3
    assert table[line_of(keeps, 1)][6] > 1000 + h
    for column, total in enumerate(
        [counted.allocated_bytes, counted.allocations, counted.peak_bytes]
    ):
        assert sum(row[column] for row in table.values()) == total
    alive = sum(row[6] for row in table.values()), sum(r[7] for r in table.values())
    assert alive == (counted.current_bytes, counted.current_blocks)
    del kept


def test_costs_by_file_and_function() -> None:
    with Allocations(SITES) as counted:
        kept = keeps()
    first = keeps.__code__.co_firstlineno
    by_line = counted.table("line")
    by_file = counted.table("file")
    by_function = counted.table("function")
    assert by_file.keys() == {__file__}
    assert by_function[__file__, first, "keeps"] == by_file[__file__]
    assert by_file[__file__][0] == sum(row[0] for row in by_line.values())
    with pytest.raises(ValueError, match="by must be"):
        counted.table("column")  # type: ignore[call-overload]
    del kept


def recursive(depth: int) -> bytes:
    return recursive(depth - 1) if depth else bytes(3000)


@pytest.mark.parametrize("frames", [1, 3, 100])
def test_costs_by_traceback(frames: int) -> None:
    with Allocations(SITES, frames=frames) as counted:
        kept = recursive(5)
    ((key, row),) = (
        item for item in counted.table("traceback").items() if item[1][0] > 3000
    )
    assert row[6] == 3000 + HEADER
    names = [name for _, _, name in key]
    assert names[:3] == ["recursive"] * min(frames, 3)
    assert len(names) == frames if frames < 100 else len(names) > 8
    if frames == 100:
        assert names[5:7] == ["recursive", "test_costs_by_traceback"]
    del kept


def test_code_that_is_gone_is_still_named() -> None:
    with Allocations(SITES) as counted:
        for number in range(50):
            space: dict[str, Any] = {}
            exec(
                compile(
                    f"def f(): return bytes({9000 + number})", f"c{number}", "exec"
                ),
                space,
            )
            space["f"]()
    names = {file for file, _ in counted.table()}
    assert {f"c{number}" for number in range(50)} <= names


def test_no_sites_without_asking() -> None:
    with Allocations(EXACT) as counted:
        blocks(10, 10)
    assert counted.table() == {}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"level": 0}, "level must be"),
        ({"level": 4}, "level must be"),
        ({"frames": 0}, "frames must be between 1 and 128"),
        ({"frames": 129}, "frames must be"),
    ],
)
def test_refusals(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Allocations(**arguments)  # type: ignore[arg-type]


# --- Resident memory ------------------------------------------------------------------


OUR_TABLES = """
from nbprobe import _core
from nbprobe._core import Allocations

count = 400_000
kept = [None] * count  # one that grows leaves holes behind
with Allocations(_core.ALLOCATIONS_SITES) as counted, _core.ResidentPeak() as peak:
    for number in range(count):
        kept[number] = (number + 1000,)
    allocated = counted.peak_bytes
    after = _core.resident()
print(peak.peak_bytes - peak.start_bytes, allocated, after - peak.peak_bytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is from /proc")
def test_our_tables_are_in_no_resident_peak() -> None:
    """A million blocks take 48 MB of table and more; the program has not got them."""
    # In a process of its own, where nothing lies where earlier tests had something.
    done = subprocess.run(
        [sys.executable, "-c", OUR_TABLES], capture_output=True, text=True, check=True
    )
    taken, allocated, rest = map(int, done.stdout.split())
    assert 0.9 * allocated < taken < 1.1 * allocated + 500_000
    assert abs(rest) < 5_000_000


class Worker:
    """A thread that makes a block of a million bytes whenever it is told to."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        assert self._thread.ident is not None
        self.ident = self._thread.ident

    def _work(self) -> None:
        while self._orders.get():
            bytes(1_000_000)
            self._done.put(True)

    def counted(self) -> bool:
        """Whether its block is counted, whatever other threads do."""
        with Allocations(COUNTS) as counted:
            self._orders.put(True)
            self._done.get()
        return counted.allocated_bytes >= 1_000_000

    def end(self) -> None:
        self._orders.put(False)
        self._thread.join()


def test_another_thread_is_left_out_and_counted_again() -> None:
    worker = Worker()
    try:
        # Before it has allocated anything that counts, and afterwards.
        for _ in range(2):
            _core.leave_out_thread(True, worker.ident)
            assert not worker.counted()
            _core.leave_out_thread(True, worker.ident)
            _core.leave_out_thread(False, worker.ident)
            assert not worker.counted()
            _core.leave_out_thread(False, worker.ident)
            assert worker.counted()
    finally:
        worker.end()


def test_a_thread_that_ends_takes_its_leave_along() -> None:
    for allocates in (False, True):
        worker = Worker()
        _core.leave_out_thread(True, worker.ident)
        assert not (allocates and worker.counted())
        worker.end()
        # The next one may have its number.
        later = Worker()
        _core.leave_out_thread(False, worker.ident)
        try:
            assert later.counted()
        finally:
            later.end()


def test_the_number_of_a_thread_is_one() -> None:
    with pytest.raises(TypeError):
        _core.leave_out_thread(True, "main")  # type: ignore[arg-type]
