"""Resident memory: this process's and others', its highest, its course."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from nbprobe import _core

from ..patience import wait_until

MB = 1_000_000

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="resident memory is read from /proc"
)


def touched(size: int) -> mmap.mmap:
    """Pages of our own: the C library keeps what it is given back for the next one."""
    block = mmap.mmap(-1, size)
    for page in range(0, size, mmap.PAGESIZE):
        block[page] = 1
    return block


def touch(size: int) -> None:
    """Hold `size` bytes for as short as can be."""
    touched(size).close()


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdin is not None
    child.stdout.readline()
    with child:
        yield child
        child.stdin.close()


@pytest.mark.parametrize("sampled", [False, True])
def test_peak_of_memory_that_is_gone(sampled: bool) -> None:
    with _core.ResidentPeak(sampled=sampled) as peak:
        block = touched(50 * MB)
        if sampled:
            wait_until(lambda: peak.peak_bytes > peak.start_bytes + 49 * MB)
        block.close()
    assert peak.exact is not sampled
    assert peak.how.startswith("sampled" if sampled else "the kernel's")
    assert 49 * MB < peak.peak_bytes - peak.start_bytes < 52 * MB


def test_peaks_overlap() -> None:
    """Each reset of the kernel's mark is kept from the others."""
    outer, inner, late = (_core.ResidentPeak() for _ in range(3))
    outer.start()
    touch(80 * MB)
    inner.start()
    touch(40 * MB)
    late.start()
    small = inner.stop() - inner.start_bytes
    touch(20 * MB)
    assert 79 * MB < outer.stop() - outer.start_bytes < 82 * MB
    assert 39 * MB < small < 42 * MB
    assert 19 * MB < late.stop() - late.start_bytes < 22 * MB


def test_laps_start_anew() -> None:
    with _core.ResidentPeak() as peak:
        touch(60 * MB)
        first = peak.lap() - peak.start_bytes
        touch(20 * MB)
        second = peak.lap() - peak.start_bytes
    assert 59 * MB < first < 62 * MB
    assert 19 * MB < second < 22 * MB


def test_nothing_is_no_increment() -> None:
    for _ in range(50):
        with _core.ResidentPeak() as peak:
            pass
        assert 0 <= peak.peak_bytes - peak.start_bytes < 0.2 * MB


def test_a_peak_starts_once() -> None:
    peak = _core.ResidentPeak()
    assert (peak.active, peak.stop()) == (False, 0)
    peak.start()
    with pytest.raises(RuntimeError, match="started already"):
        peak.start()
    assert peak.active
    assert peak.stop() == peak.stop() > 0


def test_a_peak_goes_on_in_a_forked_child() -> None:
    peak = _core.ResidentPeak()
    held = touched(100 * MB)
    peak.start()
    held.close()
    child = os.fork()
    if child == 0:
        # The parent's 100 MB are in neither figure; 50 of the child's own are.
        inner = _core.ResidentPeak()
        inner.start()
        touch(50 * MB)
        own = inner.stop() - inner.start_bytes
        is_right = 49 * MB < own < 52 * MB and _core.resident() < peak.start_bytes
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert peak.stop() >= peak.start_bytes


def test_our_files_may_be_closed_by_others() -> None:
    """Whoever closes every file gets no garbage, and none of theirs is written to."""
    code = """
import os, sys
from nbprobe import _core
_core.resident(), _core.ResidentPeak().how
os.closerange(3, 64)
path = sys.argv[1]
with open(path, "w") as a, open(path) as b, open(path) as c:
    with _core.ResidentPeak() as peak:
        del bytearray(50_000_000)[:]
    assert 49e6 < peak.peak_bytes - peak.start_bytes < 52e6
    assert _core.resident() > 1e6
assert open(path).read() == ""
"""
    path = os.devnull
    done = subprocess.run([sys.executable, "-c", code, path], stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()


def test_other_processes(sleeper: subprocess.Popen[bytes]) -> None:
    rss, pss, uss, swap = _core.process_memory(sleeper.pid)
    assert rss >= pss >= uss > 0
    assert swap >= 0
    assert abs(_core.resident(sleeper.pid) - rss) < MB
    assert sleeper.pid in _core.process_children()
    assert _core.process_children(sleeper.pid) == []
    own = _core.process_memory()[1]
    total, processes = _core.process_tree()
    assert processes >= 2
    assert total > own + uss // 2


def test_children_of_children() -> None:
    code = (
        "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c',"
        " 'print(flush=True); input()'], stdin=0); c.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        (grandchild,) = _core.process_children(child.pid)
        assert {child.pid, grandchild} <= set(_core.process_children())
        nearest = _core.process_children(os.getpid(), False)
        assert child.pid in nearest
        assert grandchild not in nearest
        child.stdin.close()


READINGS = {
    "resident": _core.resident,
    "process_memory": _core.process_memory,
    "process_children": _core.process_children,
    "process_tree": _core.process_tree,
    "ResidentSampler": lambda pid: _core.ResidentSampler(pid=pid).start(),
}


@pytest.mark.parametrize("name", READINGS)
def test_processes_that_are_gone(name: str) -> None:
    pid = dead_process()
    with pytest.raises(ProcessLookupError, match=f"there is no process {pid}"):
        READINGS[name](pid)
    with pytest.raises(ValueError, match="positive"):
        READINGS[name](-1)


def test_a_zombie_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        with pytest.raises(ProcessLookupError):
            _core.resident(pid)
        with pytest.raises(ProcessLookupError):
            _core.process_memory(pid)
    finally:
        os.waitpid(pid, 0)


def test_sampler_reaches_from_start_to_end() -> None:
    before = set(threading.enumerate())
    with _core.ResidentSampler(0.001, 16) as sampler:
        # So many that the table was full, and was made smaller.
        wait_until(lambda: sampler.readings[0] > 20)
        first = _core.resident()
        block = touched(60 * MB)
        wait_until(lambda: sampler.peak_bytes > first + 55 * MB)
        time.sleep(0.06)
        block.close()
    samples = sampler.samples()
    times = [time_ns for time_ns, _ in samples]
    assert len(samples) <= 16
    assert times == sorted(times)
    # The first is of the first of all the spans.
    assert times[-1] - times[0] > 50e6
    assert 55 * MB < sampler.peak_bytes - first < 65 * MB
    assert max(size for _, size in samples) == sampler.peak_bytes
    taken, failed = sampler.readings
    assert taken > 20 and failed == 0
    assert not sampler.active
    assert set(threading.enumerate()) <= before


def test_sampler_starts_again() -> None:
    sampler = _core.ResidentSampler()
    assert (sampler.samples(), sampler.peak_bytes, sampler.readings) == ([], 0, (0, 0))
    sampler.stop()
    sampler.start()
    with pytest.raises(RuntimeError, match="already"):
        sampler.start()
    sampler.stop()
    time.sleep(0.01)
    first = sampler.samples()
    touch(20 * MB)
    sampler.start()
    held = touched(20 * MB)
    sampler.stop()
    assert first
    assert sampler.peak_bytes >= max(size for _, size in first) + 18 * MB
    held.close()


def test_sampler_of_a_process_that_ends(sleeper: subprocess.Popen[bytes]) -> None:
    sampler = _core.ResidentSampler(pid=sleeper.pid)
    sampler.start()
    assert sleeper.stdin is not None
    sleeper.stdin.close()
    sleeper.wait()
    sampler.stop()
    assert sampler.peak_bytes > MB
    assert sampler.readings[1] >= 1


def test_sampler_with_children(sleeper: subprocess.Popen[bytes]) -> None:
    with _core.ResidentSampler(0.01, children=True) as sampler:
        time.sleep(0.03)
    own = _core.process_memory()[1]
    child = _core.process_memory(sleeper.pid)[2]
    assert sampler.peak_bytes > own * 0.8 + child * 0.8


def test_sampler_in_a_forked_child() -> None:
    with _core.ResidentSampler(0.001) as sampler:
        child = os.fork()
        if child == 0:
            sampler.stop()
            fine = bool(sampler.samples())
            sampler.start()
            sampler.stop()
            os._exit(0 if fine and sampler.readings[0] >= 2 else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "interval, capacity", [(0, 10), (-1, 10), (float("nan"), 10), (0.1, 1), (0.1, -5)]
)
def test_sampler_refuses(interval: float, capacity: int) -> None:
    with pytest.raises(ValueError, match="must be between"):
        _core.ResidentSampler(interval, capacity)
