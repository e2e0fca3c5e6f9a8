"""The recording of calls: what it sees, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import gc
import pstats
import sys
import threading
import time
import types
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbprobe._core import Calls

from ..patience import wait_until
from . import corpus

HAS_MONITORING = sys.version_info >= (3, 12)


# Threads of whoever runs the tests: pytest-xdist has one that listens.
OTHERS: set[int] = set()


def busy(calls: Calls) -> tuple[list[Any], list[Any]]:
    """Give the table without the threads that are not ours."""
    functions, threads = calls.table()
    return functions, [thread for thread in threads if thread[0] not in OTHERS]


def counts(calls: Calls) -> Counter[tuple[str, int, str]]:
    """Sum up how often each function was entered, as cProfile counts it."""
    functions, threads = busy(calls)
    found: Counter[tuple[str, int, str]] = Counter()
    for _, nodes, _ in threads:
        for _, function, begun, resumed, *_ in nodes[1:]:
            found[functions[function][:3]] += begun + resumed
    return found


def paths(calls: Calls, thread: int = 0) -> dict[tuple[str, ...], tuple[int, int]]:
    """Give calls and resumptions of every path of names in one thread."""
    functions, threads = busy(calls)
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    names: list[tuple[str, ...]] = []
    for parent, function, begun, resumed, *_ in threads[thread][1]:
        if parent < 0:
            names.append(())
            continue
        names.append((*names[parent], functions[function][2]))
        found[names[-1]] = begun, resumed
    return found


def loss(calls: Calls) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(thread[2] for thread in busy(calls)[1]), strict=True)))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    OTHERS.clear()
    OTHERS.update(sys._current_frames().keys() - {threading.get_ident()})
    # What is collected is finalized, by calls that come when they come.
    gc.disable()
    yield
    gc.enable()
    assert sys.getprofile() is None
    assert threading.getprofile() is None
    if HAS_MONITORING:
        assert [sys.monitoring.get_tool(tool) for tool in range(6)] == [None] * 6


@pytest.mark.parametrize("program", corpus.PROGRAMS, ids=lambda p: p.__name__)
def test_counts_equal_those_of_cprofile(program: Callable[[], object]) -> None:
    # GIVEN what cProfile counts, when caches are warm
    program()
    theirs = cProfile.Profile()
    theirs.runcall(program)
    expected = {
        function: row[1] for function, row in pstats.Stats(theirs).stats.items()
    }
    # WHEN the calls are recorded
    ours = Calls()
    ours.runcall(program)
    # THEN the counts are the same, but for the call that switches cProfile off
    expected = {f: n for f, n in expected.items() if "Profiler" not in f[2]}
    assert counts(ours) == expected
    assert loss(ours) == (0, 0, 0, 0)


def leaf() -> None:
    pass


def left() -> None:
    leaf()


def right() -> None:
    leaf()
    leaf()


def test_a_path_has_its_own_node() -> None:
    calls = Calls(builtins=False)
    with calls:
        left()
        right()
    assert paths(calls) == {
        ("left",): (1, 0),
        ("left", "leaf"): (1, 0),
        ("right",): (1, 0),
        ("right", "leaf"): (2, 0),
    }


def numbers() -> Iterator[int]:
    yield 1
    yield 2


def consume(generator: Iterator[int]) -> int:
    return next(generator)


def test_a_generator_is_called_once_and_resumed_by_others() -> None:
    calls = Calls(builtins=False)
    with calls:
        generator = numbers()
        next(generator)
        consume(generator)
        next(generator, None)
    assert paths(calls) == {
        ("numbers",): (1, 1),
        ("consume",): (1, 0),
        ("consume", "numbers"): (0, 1),
    }


def test_a_throw_resumes_a_generator() -> None:
    calls = Calls(builtins=False)
    with calls:
        generator = numbers()
        next(generator)
        with pytest.raises(KeyError):
            generator.throw(KeyError)  # type: ignore[attr-defined]
        left()
    assert paths(calls)[("numbers",)] == (1, 1)
    assert ("left",) in paths(calls)


def test_suspended_time_is_nobodys() -> None:
    calls = Calls(builtins=False)
    with calls:
        generator = numbers()
        next(generator)
        before = time.monotonic_ns()
        time.sleep(0.05)
        slept = time.monotonic_ns() - before
        next(generator)
    _, threads = busy(calls)
    (node,) = threads[0][1][1:]
    assert node[5] < slept


def work(seconds: float) -> None:
    time.sleep(seconds)


def first(seconds: float) -> None:
    work(seconds)


def second(seconds: float) -> None:
    work(seconds)


def test_each_thread_has_its_own_tree() -> None:
    threads = [threading.Thread(target=first, args=(0.04,))]
    threads.append(threading.Thread(target=second, args=(0.08,)))
    calls = Calls()
    start = time.perf_counter()
    with calls:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elapsed = time.perf_counter() - start
    functions, recorded = busy(calls)
    assert len(recorded) == 3
    for (_, nodes, _), name, seconds in zip(
        recorded[1:], ("first", "second"), (0.04, 0.08), strict=True
    ):
        rows = {functions[node[1]][2]: node for node in nodes[1:]}
        assert functions[nodes[rows["work"][0]][1]][2] == name
        assert seconds <= rows[name][5] / 1e9 < elapsed
        assert len({"first", "second"} & rows.keys()) == 1


def test_a_running_thread_is_seen_and_left_alone() -> None:
    stop = threading.Event()
    turns = []

    def loop() -> None:
        while not stop.is_set():
            leaf()
            turns.append(1)

    thread = threading.Thread(target=loop)
    thread.start()
    for _ in range(20):
        calls = Calls()
        with calls:
            before = len(turns)
            wait_until(lambda: len(turns) > before + 2)  # noqa: B023
        assert calls.active is False
    stop.set()
    thread.join()
    assert len(busy(calls)[1]) == 2
    assert busy(calls)[1][1][2][:2] == (0, 0)


def test_another_thread_can_stop_it() -> None:
    calls = Calls()
    calls.enable()
    left()
    stopper = threading.Thread(target=calls.disable)
    stopper.start()
    stopper.join()
    right()
    assert not calls.active
    assert ("left", "leaf") in paths(calls)
    assert ("right",) not in paths(calls)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_passes_and_the_record_stays(error: type[BaseException]) -> None:
    def fail() -> None:
        leaf()
        raise error("as it was")

    calls = Calls()
    with pytest.raises(error, match="as it was"):
        calls.runcall(fail)
    assert not calls.active
    assert paths(calls) == {("fail",): (1, 0), ("fail", "leaf"): (1, 0)}


def test_code_is_run_in_the_namespaces_given() -> None:
    calls = Calls()
    local: dict[str, Any] = {}
    calls.runcode(compile("y = abs(x)", "<test>", "exec"), {"x": -3}, local)
    assert local == {"y": 3}
    assert list(paths(calls)) == [
        ("<module>",),
        ("<module>", "<built-in method builtins.abs>"),
    ]


def test_cprofile_goes_on() -> None:
    profile = cProfile.Profile()
    calls = Calls()
    profile.enable()
    try:
        left()
        with calls:
            right()
        left()
    finally:
        profile.disable()
    seen = {key[2]: row[1] for key, row in pstats.Stats(profile).stats.items()}
    assert (seen["left"], seen["right"], seen["leaf"]) == (2, 1, 4)
    assert paths(calls)[("right", "leaf")] == (2, 0)


def test_recordings_nest() -> None:
    outer, inner = Calls(builtins=False), Calls(builtins=False)
    with outer:
        with inner:
            left()
        right()
    assert list(paths(inner)) == [("left",), ("left", "leaf")]
    assert len(paths(outer)) == 4


def test_recordings_end_in_any_order() -> None:
    a, b = Calls(builtins=False), Calls(builtins=False)
    a.enable()
    b.enable()
    left()
    a.disable()
    right()
    b.disable()
    leaf()
    assert ("left",) in paths(a)
    assert ("left",) in paths(b)
    assert ("leaf",) not in paths(b)


def test_it_goes_on_where_it_stopped() -> None:
    calls = Calls(builtins=False)
    for _ in range(3):
        with calls:
            left()
        right()
    assert paths(calls) == {("left",): (3, 0), ("left", "leaf"): (3, 0)}
    calls.clear()
    assert busy(calls) == ([], [])


def test_a_timer_of_the_user_counts_the_time() -> None:
    ticks = iter(range(1000))
    calls = Calls(lambda: next(ticks), 0.5, builtins=False)
    calls.runcall(left)
    functions, threads = busy(calls)
    # left: ticks 0 to 3, leaf: ticks 1 to 2, at half a second each
    times = {functions[node[1]][2]: node[5:7] for node in threads[0][1][1:]}
    assert times == {"left": (1.5e9, 1e9), "leaf": (0.5e9, 0.5e9)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_timer_that_fails_harms_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    calls = Calls(lambda: 1 / 0)
    calls.runcall(left)
    assert paths(calls) == {("left",): (1, 0), ("left", "leaf"): (1, 0)}


def test_a_timer_may_stop_the_recording() -> None:
    calls: Calls
    ticks = 0

    def timer() -> float:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            calls.disable()
        return float(ticks)

    calls = Calls(timer)
    calls.enable()
    left()
    right()
    assert not calls.active


def test_a_timer_may_drop_the_recording() -> None:
    for last in range(3, 12):
        calls: list[Calls] = []
        ticks = 0

        def timer(calls: list[Calls] = calls, last: int = last) -> float:
            nonlocal ticks
            ticks += 1
            if ticks == last:
                calls.pop().disable()
            return float(ticks)

        calls.append(Calls(timer))
        calls[0].enable()
        left()
        right()
        abs(1)
        if calls:
            calls.pop().disable()
    assert sys.getprofile() is None


def deep(levels: int) -> int:
    return 0 if levels == 0 else 1 + deep(levels - 1)


def test_deep_recursion() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        calls = Calls()
        assert calls.runcall(deep, 15_000) == 15_000
        with pytest.raises(RecursionError):
            calls.runcall(deep, 30_000)
    finally:
        sys.setrecursionlimit(limit)
    assert loss(calls)[:2] == (0, 0)
    assert counts(calls).most_common(1)[0][1] > 30_000


def test_a_full_tree_counts_by_function() -> None:
    calls = Calls(room=3)
    with calls:
        for _ in range(10):
            left()
            right()
    assert counts(calls)[(__file__, leaf.__code__.co_firstlineno, "leaf")] == 30
    assert loss(calls)[0] == 20


def test_an_event_loop_loses_nothing() -> None:
    calls = Calls()
    assert calls.runcall(asyncio.run, corpus.gather()) == [0, 1, 2, 3]
    assert loss(calls) == (0, 0, 0, 0)
    naps = [n for path, n in paths(calls).items() if path[-1] == "nap"]
    assert sum(begun for begun, _ in naps) == 4
    assert sum(resumed for _, resumed in naps) == 6


def test_greenlets_keep_their_own_callers() -> None:
    greenlet = pytest.importorskip("greenlet")

    def ping() -> None:
        for _ in range(3):
            left()
            other.switch()

    def pong() -> None:
        while True:
            right()
            first.switch()

    first, other = greenlet.greenlet(ping), greenlet.greenlet(pong)
    calls = Calls()
    with calls:
        first.switch()
        leaf()
    found = {}
    for path, (begun, _) in paths(calls).items():
        found[path[-2:]] = found.get(path[-2:], 0) + begun
    assert found["ping", "left"] == 3
    assert found["pong", "right"] == 3
    assert found[("leaf",)] == 1
    assert loss(calls)[2] == 0


def test_what_was_recorded_is_let_go() -> None:
    namespace: dict[str, Any] = {}
    exec("def gone(): pass", namespace)
    code = weakref.ref(namespace["gone"].__code__)
    calls = Calls()
    calls.runcall(namespace["gone"])
    namespace.clear()
    assert code() is not None
    calls.clear()
    gc.collect()
    assert code() is None


def test_a_cycle_through_the_timer_is_collected() -> None:
    class Timer:
        calls: Calls

        def __call__(self) -> float:
            return 0.0

    timer = Timer()
    timer.calls = Calls(timer)
    timer.calls.runcall(left)
    gone = weakref.ref(timer)
    del timer
    gc.collect()
    assert gone() is None


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(TypeError, match="callable"):
        Calls(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        Calls(room=-1)
    with pytest.raises(TypeError):
        Calls().runcall()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Calls().runcode("1", {}, {})  # type: ignore[arg-type]
    calls = Calls()
    with calls, pytest.raises(RuntimeError, match="disable"):
        calls.clear()


@pytest.mark.skipif(not HAS_MONITORING, reason="sys.monitoring came with 3.12")
def test_a_hook_in_strange_hands() -> None:
    start = sys.monitoring.events.PY_START
    with Calls() as calls:
        tools = [sys.monitoring.get_tool(tool) for tool in range(6)]
        tool = tools.index("nbprobe calls")
        hook = sys.monitoring.register_callback(tool, start, None)
        for arguments in [(), (1,), (left, 2, 3)]:
            with pytest.raises(TypeError, match="calls this"):
                hook(*arguments)
    del calls
    assert hook(left.__code__, 0) is None


@pytest.mark.skipif(not HAS_MONITORING, reason="sys.monitoring came with 3.12")
def test_when_every_id_is_taken_the_error_says_so() -> None:
    for tool in (3, 4, 5):
        sys.monitoring.use_tool_id(tool, "test")
    try:
        with pytest.raises(RuntimeError, match="no free id"):
            Calls().enable()
    finally:
        for tool in (3, 4, 5):
            sys.monitoring.free_tool_id(tool)


def test_recordings_that_start_again_do_not_go_in_circles() -> None:
    a, b = Calls(builtins=False), Calls(builtins=False)
    a.enable()
    b.enable()
    a.disable()
    a.enable()
    thread = threading.Thread(target=left)
    thread.start()
    thread.join()
    right()
    b.disable()
    a.disable()
    leaf()
    assert paths(a)[("right", "leaf")] == paths(b)[("right", "leaf")] == (2, 0)
    assert ("leaf",) not in paths(a) | paths(b)


def test_functions_of_numpy_and_cython_have_their_names() -> None:
    import numpy as np
    from zmq.backend.cython._zmq import zmq_version_info

    length = types.MethodType(len, [1])

    def use() -> None:
        np.add(1, 2)
        np.add(*(1, 2), dtype=float)
        with contextlib.suppress(TypeError):
            np.add(1, None)  # type: ignore[call-overload]
        np.dot(1, 2)
        zmq_version_info()
        length()

    use()
    calls = Calls()
    calls.runcall(use)
    found = {name: number for (_, _, name), number in counts(calls).items()}
    # Before 3.12 the interpreter reports functions of its own kinds only.
    others = {
        "<ufunc 'add'>": 3,
        "<built-in method numpy.dot>": 1,
        "<built-in method zmq.backend.cython._zmq.zmq_version_info>": 1,
    }
    assert {n: found[n] for n in others if n in found} == (
        others if HAS_MONITORING else {}
    )
    assert found["<built-in method builtins.len>"] == 1
    assert loss(calls) == (0, 0, 0, 0)
