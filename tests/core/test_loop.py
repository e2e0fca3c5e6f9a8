"""The iterator that times the loops that it drives."""

from __future__ import annotations

import gc
import operator
import time

import pytest

from nbprobe import _core

BODY = "for _ in loop:\n    work()"


def drive(loop: _core.Loop, iterations: int, work: object = int) -> None:
    loop.arm(iterations)
    exec(BODY, {"loop": loop, "work": work})


def test_each_armed_loop_is_one_sample() -> None:
    loop = _core.Loop()
    for iterations in (1, 10, 100):
        drive(loop, iterations)
    assert [sample[2] for sample in loop.samples()] == [1, 10, 100]
    assert loop.iterations == 111


def test_a_loop_that_is_not_armed_does_not_run() -> None:
    loop = _core.Loop()
    drive(loop, 2)
    assert list(loop) == []
    drive(loop, 0)
    assert len(loop.samples()) == 1


def test_the_time_is_that_of_the_iterations() -> None:
    loop = _core.Loop()
    drive(loop, 3, lambda: time.sleep(0.01))
    ((time_ns, cpu_ns, iterations, switches),) = loop.samples()
    assert iterations == 3
    assert time_ns >= 30_000_000
    assert 0 <= cpu_ns < time_ns
    assert switches >= 0
    assert loop.last_ns == time_ns


def test_the_cpu_clock_does_not_count_sleep() -> None:
    loop = _core.Loop(_core.CLOCK_THREAD_CPU)
    before = time.thread_time_ns()
    drive(loop, 1, lambda: time.sleep(0.05))
    took = time.thread_time_ns() - before
    assert loop.last_ns is not None
    assert loop.last_ns <= took


def test_a_loop_left_by_an_exception_is_no_sample_but_its_iterations_count() -> None:
    loop = _core.Loop()

    def fail_at_third(seen: list[int] = []) -> None:  # noqa: B006 - counts over calls
        seen.append(1)
        if len(seen) == 3:
            raise OSError

    with pytest.raises(OSError):
        drive(loop, 10, fail_at_third)
    assert loop.samples() == []
    assert loop.iterations == 3
    drive(loop, 5)
    assert loop.iterations == 8
    assert [sample[2] for sample in loop.samples()] == [5]


def test_marks_time_what_is_between_them() -> None:
    loop = _core.Loop(timed=False)
    loop.arm(2)
    took = []
    for _ in loop:
        time.sleep(0.02)
        before = time.monotonic_ns()
        operator.invert(loop)
        time.sleep(0.001)
        operator.invert(loop)
        took.append(time.monotonic_ns() - before)
    samples = loop.samples()
    assert len(samples) == 2
    for sample, most in zip(samples, took, strict=True):
        assert 1_000_000 <= sample[0] <= most
    assert [sample[2] for sample in samples] == [1, 1]


def test_clear_forgets_samples_and_keeps_the_count() -> None:
    loop = _core.Loop()
    drive(loop, 7)
    loop.clear()
    assert loop.samples() == []
    assert loop.last_ns is None
    assert loop.iterations == 7


def test_collections_inside_a_sample_are_counted_and_timed() -> None:
    loop = _core.Loop()
    gc.callbacks.append(loop.on_collection)
    try:
        gc.collect()
        drive(loop, 3, gc.collect)
        gc.collect()
    finally:
        gc.callbacks.remove(loop.on_collection)
    assert loop.collections == 3
    assert 0 < loop.collecting_ns < loop.samples()[0][0]


@pytest.mark.parametrize("clock", [-1, 4, 2**31 - 1])
def test_an_unknown_clock_is_refused(clock: int) -> None:
    with pytest.raises(ValueError, match="clock must be one of"):
        _core.Loop(clock)
    with pytest.raises(ValueError, match="clock must be one of"):
        _core.clock_resolution_ns(clock)


@pytest.mark.parametrize("bad", [-1, 2**64, "1", None, 1.5])
def test_a_bad_number_of_iterations_is_refused(bad: object) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)):
        _core.Loop().arm(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [(), ("start",), (1, {}), ("start", {}, 3)])
def test_a_bad_collection_event_is_refused(event: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match="on_collection takes"):
        _core.Loop().on_collection(*event)  # type: ignore[arg-type]


def test_the_type_is_final_and_immutable() -> None:
    with pytest.raises(TypeError):
        type("Sub", (_core.Loop,), {})
    with pytest.raises(TypeError):
        _core.Loop.arm = None  # type: ignore[method-assign, assignment]
