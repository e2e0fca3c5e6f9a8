"""Hooks that come and go in any order with others, with threads, forks and exceptions."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

from nbprobe import _core
from nbprobe._core import Allocations

# Each in a process of its own: a crash is a failure, and what is left over is seen.
PRELUDE = """
import gc, hashlib, os, random, signal, sys, threading, time, tracemalloc, zlib
from nbprobe import _core
from nbprobe._core import Allocations

COUNTS, EXACT, SITES = range(1, 4)

def check(counted):
    assert 0 <= counted.current_bytes <= counted.peak_bytes <= counted.allocated_bytes
    assert counted.allocated_bytes - counted.freed_bytes == counted.current_bytes
    assert counted.allocations - counted.frees == counted.current_blocks
    for row in counted.table().values():
        assert all(figure < 2**62 for figure in row), row

stopping = False

def allocate_with_the_gil():
    kept = []
    while not stopping:
        kept.append([bytes(random.randrange(2000)) for _ in range(20)])
        if len(kept) > 50:
            del kept[::2]

def allocate_without():
    data = bytes(100_000)
    while not stopping:
        hashlib.sha256(data).digest()
        zlib.decompress(zlib.compress(data, 1))

def start_threads():
    threads = [threading.Thread(target=target)
               for target in (allocate_with_the_gil, allocate_without, allocate_without)]
    for thread in threads:
        thread.start()
    return threads
"""

WAYS = {
    "plain": ([], {}),
    "-X dev": (["-X", "dev"], {}),
    "malloc": ([], {"PYTHONMALLOC": "malloc"}),
    "debug": ([], {"PYTHONMALLOC": "debug"}),
    "tracemalloc": (["-X", "tracemalloc=3"], {}),
}

# Each stress is short here, and long when asked for.
THOROUGH = 10 if os.environ.get("NBPROBE_THOROUGH") else 1

ways = pytest.mark.parametrize("way", WAYS)


def run(code: str, way: str = "plain") -> None:
    options, environment = WAYS[way]
    done = subprocess.run(
        [sys.executable, *options, "-c", f"THOROUGH = {THOROUGH}\n{PRELUDE}{code}"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120 * THOROUGH,
    )
    assert done.returncode == 0, done.stdout


@ways
def test_a_thousand_cycles_while_threads_allocate(way: str) -> None:
    cycles = 1000 if way == "plain" else 200
    run(
        f"CYCLES = {cycles}"
        """
threads = start_threads()
crossing = []
for cycle in range(CYCLES * THOROUGH):
    counted = Allocations(random.choice((COUNTS, EXACT, SITES)), frames=1 + cycle % 9)
    crossing.append(bytes(3000))
    with counted:
        crossing.append(bytes(2000))
        del crossing[: len(crossing) // 2]
        if cycle % 50 == 0:
            time.sleep(0.002)
    if counted.level > COUNTS:
        check(counted)
    assert counted.note == ""
stopping = True
for thread in threads:
    thread.join()
""",
        way,
    )


@ways
def test_overlapping_cycles_while_threads_allocate(way: str) -> None:
    run(
        """
threads = start_threads()
random.seed(2)
uses = [Allocations(random.choice((COUNTS, EXACT, SITES)), frames=4) for _ in range(6)]
for cycle in range(300 * THOROUGH):
    use = random.choice(uses)
    (use.stop if use.active else use.start)()
    if use.level > COUNTS:
        check(use) if not use.active else use.reset_peak()
for use in uses:
    use.stop()
stopping = True
for thread in threads:
    thread.join()
""",
        way,
    )


STEPS = {"a": "counted.start()", "b": "counted.stop()", "c": "tracemalloc.start(2)"}
STEPS["d"] = "tracemalloc.stop()"


def orders() -> list[str]:
    """Each order in which both start and stop, ours before its end and theirs too."""
    return [
        "".join(order)
        for order in itertools.permutations("abcd")
        if order.index("a") < order.index("b") and order.index("c") < order.index("d")
    ]


@pytest.mark.parametrize("way", ["plain", "debug", "malloc"])
def test_tracemalloc_in_any_order(way: str) -> None:
    """Neither sees less than the other leaves it, and a second round is like the first."""
    # Each order in a fork of its own, which starts as fresh as a process.
    code = "counted = Allocations()\n"
    for order in orders():
        code += (
            f"child = os.fork()\nif child == 0:\n  for _ in range(3):\n    {order=}\n"
        )
        for step in order:
            code += f"""
    {STEPS[step]}
    is_tracing = tracemalloc.is_tracing()
    before = counted.current_bytes, tracemalloc.get_traced_memory()[0]
    block = bytes(1_000_000)
    after = counted.current_bytes, tracemalloc.get_traced_memory()[0]
    assert not is_tracing or after[1] - before[1] >= 1_000_000, ("blind", {step!r})
    if counted.active and ({order!r}, {step!r}) != ("cadb", "d"):
        assert after[0] - before[0] >= 1_000_000, ("lost", {step!r})
    if not counted.active:
        assert after[0] == before[0], ("counting on", {step!r})
    del block
"""
        code += """
  # Whatever was left in, it does no harm, and neither is on.
  with Allocations() as again:
    block = bytes(1_000_000)
  assert again.allocated_bytes >= 1_000_000 and again.allocations < 5
  assert not tracemalloc.is_tracing()
  sys.exit()
assert os.waitpid(child, 0)[1] == 0
"""
    run(code, way)


def test_hooks_that_were_taken_out_are_told() -> None:
    """tracemalloc.stop() puts back what it has found when it started: not ours."""
    run(
        """
tracemalloc.start()
counted = Allocations()
counted.start()
block = bytes(1_000_000)
tracemalloc.stop()
lost = bytes(2_000_000)
counted.stop()
assert 1_000_000 < counted.allocated_bytes < 1_900_000
assert "another tool has removed the hooks" in counted.note
with counted:
    block = bytes(1_000_000)
assert counted.allocated_bytes > 1_000_000 and counted.note == ""
"""
    )


@ways
def test_fork_while_measuring(way: str) -> None:
    run(
        """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
threads = start_threads()
with Allocations(SITES) as counted:
    mine = bytes(100_000)
    for number in range(6 * THOROUGH):
        child = os.fork()
        if child == 0:
            before = counted.current_bytes
            block = [bytes(1000) for _ in range(1000)]
            assert counted.current_bytes - before >= 1_000_000
            with Allocations() as inner:
                block = bytes(5000)
            check(inner)
            assert inner.allocated_bytes >= 5000
            counted.stop()
            check(counted)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
check(counted)
stopping = True
for thread in threads:
    thread.join()
""",
        way,
    )


@ways
def test_exceptions_and_interrupts_at_random_moments(way: str) -> None:
    run(
        """
def interrupt():
    while not stopping:
        time.sleep(random.random() / 500)
        os.kill(os.getpid(), signal.SIGINT)

def go_on():
    with Allocations(SITES, frames=20) as counted:
        while True:
            [bytes(number) for number in range(500)]

inside = False

def on_interrupt(*_):
    # Raise within the try below, once each time, and nowhere else.
    global inside
    if inside:
        inside = False
        raise KeyboardInterrupt

signal.signal(signal.SIGINT, on_interrupt)
stopper = threading.Thread(target=interrupt)
rounds = 0
until = time.monotonic() + 30
while rounds < 100 * THOROUGH and time.monotonic() < until:
    try:
        stopper.ident or stopper.start()
        inside = True
        while True:
            counted = Allocations(EXACT)
            with counted:
                if rounds % 2:
                    inside = False
                    raise ValueError
                go_on()
    except (KeyboardInterrupt, ValueError):
        rounds += 1
stopping = True
stopper.join()
assert rounds > 20
with Allocations() as after:
    pass
assert after.allocations == 0
""",
        way,
    )


def test_left_running_until_the_end() -> None:
    run(
        "counted = Allocations(SITES, frames=50); counted.start(); kept = [bytes(9)] * 9"
    )
    run("Allocations(SITES).start(); x = Allocations(); x.start(); del x; gc.collect()")


def test_threads_that_end_while_counted() -> None:
    """Counters of a thread that has ended stay in the sums, and serve the next one."""
    run(
        """
kept = []
counts, exact = Allocations(COUNTS), Allocations()
counts.start()
exact.start()
for number in range(200):
    thread = threading.Thread(target=lambda: kept.append(bytes(10_000)))
    thread.start()
    thread.join()
kept.clear()
exact.stop()
counts.stop()
check(exact)
assert counts.allocated_bytes == exact.allocated_bytes >= 2_000_000
"""
    )


def test_an_object_that_is_dropped_stops() -> None:
    Allocations().start()
    with Allocations() as counted:
        pass
    assert counted.allocations == 0
    assert _core.Allocations().active is False
