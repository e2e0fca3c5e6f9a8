"""What user code may do while it is measured. No crash, nothing left behind."""

from __future__ import annotations

import copy
import ctypes
import inspect
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nbprobe._core import Calls, LineEngine

from .conftest import hits, measuring


def count(n: int) -> int:
    total = 0
    for i in range(n):
        total += i
    return total


def plain_generator(n: int) -> Any:
    for i in range(n):  # noqa: UP028  (the two lines are what is counted)
        yield i


def recurse(n: int) -> int:
    if n == 0:
        return 0
    return 1 + recurse(n - 1)


def raise_from(depth: int) -> None:
    if depth == 0:
        raise LookupError
    raise_from(depth - 1)


def negative(n: int) -> int:
    return -n


def changes_itself(n: int) -> int:
    changes_itself.__code__ = negative.__code__
    return n


class Interruption(Exception):
    """Raised by the signal handler."""


@pytest.mark.parametrize("memory", [False, True])
def test_swapping_while_eight_threads_run(memory: bool) -> None:
    # GIVEN eight threads that call the functions all the time
    stop = threading.Event()
    wrong: list[object] = []

    def work() -> None:
        while not stop.is_set():
            if count(20) != 190 or list(plain_generator(3)) != [0, 1, 2]:
                wrong.append(1)
            try:
                raise_from(3)
            except LookupError:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    # WHEN the probes go in and out
    engine = LineEngine(memory=memory)
    for function in (count, plain_generator, raise_from, work):
        engine.add(function)
    codes = [f.__code__ for f in (count, plain_generator, raise_from)]
    end = time.monotonic() + 30
    swaps = 0
    # Threads that take turns more often meet more of what may be half done.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        while swaps < 15 and time.monotonic() < end:
            engine.start()
            time.sleep(0.005)
            engine.stop()
            swaps += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    # THEN every result is right, and all is as it was
    assert wrong == []
    assert swaps > 1
    assert [f.__code__ for f in (count, plain_generator, raise_from)] == codes
    assert engine.dropped == 0


def test_recursion_to_the_limit() -> None:
    with measuring(recurse) as engine:
        with pytest.raises(RecursionError):
            recurse(10**6)
        assert recurse(50) == 50
    counted = hits(engine, recurse)
    assert counted[1] > 100
    assert counted[2] == 1


def test_exceptions_through_a_thousand_frames() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)
    try:
        with measuring(raise_from) as engine:
            for _ in range(10):
                with pytest.raises(LookupError):
                    raise_from(1000)
            before = sum(row[2] for row in engine.lines()[0][2])
            time.sleep(0.3)
            with pytest.raises(LookupError):
                raise_from(0)
            after = sum(row[2] for row in engine.lines()[0][2])
    finally:
        sys.setrecursionlimit(limit)
    assert hits(engine, raise_from) == {1: 10 * 1001 + 1, 2: 11, 3: 10000}
    # The sleep between is nobody's time.
    assert after - before < 200_000_000


def test_generators_left_suspended() -> None:
    with measuring(plain_generator) as engine:
        left = [plain_generator(3) for _ in range(1000)]
        for g in left:
            next(g)
        del left[::2]
        for g in left:
            g.close()
        for _ in range(1000):
            next(plain_generator(3))
    assert hits(engine, plain_generator) == {1: 2000, 2: 2000}
    assert engine.dropped == 0


def test_a_signal_handler_that_raises_at_random_moments() -> None:
    # GIVEN measured code of loops, generators and handlers
    def body(n: int) -> None:
        for _ in range(n):
            count(5)
            for _ in plain_generator(3):
                try:
                    raise_from(2)
                except LookupError:
                    pass

    def handler(number: int, frame: object) -> None:
        raise Interruption

    generator = random.Random(1)
    raised = 0
    previous = signal.signal(signal.SIGALRM, handler)
    try:
        with measuring(body, count, plain_generator, raise_from) as engine:
            # WHEN an exception comes out of nowhere, a thousand times
            while raised < 1000:
                try:
                    signal.setitimer(signal.ITIMER_REAL, generator.uniform(2e-5, 4e-4))
                    body(10**6)
                except Interruption:
                    raised += 1
            # THEN no frame is left on the stack: all time since is nobody's
            before = engine.lines()
            time.sleep(0.3)
            count(1)
            after = engine.lines()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    own = [
        sum(row[3] for _, _, rows in table for row in rows) for table in (before, after)
    ]
    assert own[1] - own[0] < 200_000_000
    assert engine.dropped == 0


def test_a_measured_function_that_measures() -> None:
    def inner_profile() -> dict[int, int]:
        engine = LineEngine()
        engine.add(count)
        engine.start()
        count(4)
        engine.stop()
        return {row[0]: row[1] for row in engine.lines()[0][2]}

    code = count.__code__
    with measuring(inner_profile, count) as engine:
        for _ in range(3):
            assert sum(inner_profile().values()) == 1 + 5 + 4 + 1
        assert hits(engine, code) == {1: 3, 2: 15, 3: 12, 4: 3}
    assert count.__code__ is code


def test_a_measured_function_that_stops_and_starts_its_engine() -> None:
    engine = LineEngine()

    def toggles() -> int:
        engine.stop()
        engine.start()
        return 7

    engine.add(toggles)
    engine.start()
    assert toggles() == 7
    assert toggles() == 7
    engine.stop()
    assert hits(engine, toggles)[1] == 2


def test_measured_functions_can_be_pickled_copied_and_read() -> None:
    source = inspect.getsource(count)
    with measuring(count) as engine:
        assert pickle.loads(pickle.dumps(count)) is count
        assert copy.deepcopy(count) is count
        assert inspect.getsource(count) == source
        assert inspect.signature(count) == inspect.Signature.from_callable(count)
        # The constants that are probes are pickled as a number that does the same.
        constants = pickle.loads(pickle.dumps(count.__code__.co_consts))
        assert 0 in constants
        elsewhere = type(count)(count.__code__.replace(co_consts=constants), globals())
        assert elsewhere(4) == 6
    assert hits(engine, count) == {}


def test_code_objects_are_compared_and_hashed() -> None:
    with measuring(count):
        assert count.__code__ == count.__code__
        assert count.__code__ in {count.__code__}
        assert count.__code__ != compile("1", "", "eval")


def test_a_function_that_changes_its_own_code() -> None:
    before = changes_itself.__code__
    engine = LineEngine()
    engine.add(changes_itself)
    engine.start()
    assert changes_itself(1) == 1
    assert changes_itself(1) == -1
    engine.stop()
    # It is the user's code now, not ours to put back.
    assert changes_itself.__code__ is negative.__code__
    changes_itself.__code__ = before


def test_destructors_and_tracing_inside_measured_code() -> None:
    seen = []

    class Loud:
        def __del__(self) -> None:
            seen.append(count(2))

    def drops() -> None:
        thing = Loud()
        del thing
        sys.settrace(lambda *_: None)
        sys.settrace(None)

    with measuring(drops, count, Loud.__del__) as engine:
        for _ in range(100):
            drops()
    assert len(seen) == 100
    assert hits(engine, count)[4] == 100


def test_generators_resumed_in_other_threads() -> None:
    with measuring(plain_generator) as engine, ThreadPoolExecutor(4) as pool:
        generators = [plain_generator(50) for _ in range(20)]
        for step in range(50):
            assert set(pool.map(next, generators)) == {step}
    assert hits(engine, plain_generator) == {1: 20 * 50, 2: 20 * 50}


def test_greenlets() -> None:
    greenlet = pytest.importorskip("greenlet", reason="greenlets are optional")

    def ping(n: int) -> int:
        for _ in range(n):
            partner[0].switch()
        return n

    def pong() -> None:
        while True:
            main.switch()

    main = greenlet.getcurrent()
    partner = [greenlet.greenlet(pong)]
    with measuring(ping, pong) as engine:
        assert ping(50) == 50
    assert hits(engine, ping)[2] == 50
    assert hits(engine, pong)[2] == 50
    assert engine.moved > 0
    assert engine.dropped == 0


@pytest.mark.parametrize("how", ["running", "in a thread", "in a generator"])
def test_the_interpreter_ends_while_measuring(how: str) -> None:
    script = f"""
import sys, threading, time
from nbprobe._core import LineEngine

def spin():
    while True:
        time.sleep(0.0001)

def numbers():
    while True:
        yield 1

engine = LineEngine()
engine.add(spin)
engine.add(numbers)
if {how == "in a thread"}:
    threading.Thread(target=spin, daemon=True).start()
    time.sleep(0.01)
engine.start()
threading.Thread(target=spin, daemon=True).start()
left = numbers()
next(left)
if {how == "in a generator"}:
    sys.modules["kept"] = left
    del engine
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_frames_are_inspected_while_measured() -> None:
    def looks() -> tuple[str, int, dict[str, Any]]:
        value = 3  # noqa: F841  (seen in f_locals)
        frame = sys._getframe()
        return frame.f_code.co_name, frame.f_lineno, dict(frame.f_locals)

    expected = looks()
    with measuring(looks):
        found = looks()
    assert found[0] == expected[0]
    assert found[1] == expected[1]
    assert found[2]["value"] == 3


def test_threads_that_change_one_engine_at_once() -> None:
    # GIVEN an engine that four threads start, stop, add to and read all the time
    engine = LineEngine()
    engine.add(count)
    code = count.__code__
    end = time.monotonic() + 0.5
    others: list[BaseException] = []

    def work() -> None:
        while time.monotonic() < end:
            for change in (
                engine.start,
                lambda: engine.add(recurse),
                lambda: count(3),
                engine.lines,
                engine.reset,
                engine.stop,
            ):
                try:
                    change()
                except RuntimeError:
                    pass  # another thread is at it
                except BaseException as error:
                    others.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.stop()
    # THEN nothing is torn
    assert others == []
    assert count.__code__ is code


def test_threads_that_python_did_not_start() -> None:
    """Their thread states come and go, one maybe where another was."""

    def count(n: int) -> int:
        total = 0
        for i in range(n):
            total += i
        return total

    libc = ctypes.CDLL(None)
    body = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(
        lambda _: count(5) and None
    )
    with measuring(count) as engine, Calls() as calls:
        for _ in range(4):
            thread = ctypes.c_ulong()
            assert libc.pthread_create(ctypes.byref(thread), None, body, None) == 0
            count(5)
            assert libc.pthread_join(thread, None) == 0
            count(5)
    assert hits(engine, count) == {1: 12, 2: 72, 3: 60, 4: 12}
    assert (engine.dropped, engine.moved) == (0, 0)
    functions, threads = calls.table()
    place = next(i for i, row in enumerate(functions) if row[2] == "count")
    counted = [
        sum(node[2] for node in nodes if node[1] == place) for _, nodes, _ in threads
    ]
    # Before 3.12 nobody tells a profile function of such threads.
    others = [1, 1, 1, 1] if sys.version_info >= (3, 12) else []
    assert sorted(filter(None, counted)) == [*others, 8]
