"""Beside coverage, debuggers and other tools of ours: everybody goes on."""

from __future__ import annotations

import bdb
import sys
import threading
import types
from collections.abc import Callable

import coverage
import pytest

from nbprobe._core import Calls
from nbprobe.lprun import LineProfiler
from nbprobe.memit import measure

from . import corpus

FIB_8 = 67  # calls


def fib_calls(run: Callable[[], object]) -> int:
    """Count the calls of fib() while something runs."""
    calls = Calls()
    calls.runcall(run)
    functions, threads = calls.table()
    return sum(
        node[2]
        for _, nodes, _ in threads
        for node in nodes[1:]
        if functions[node[1]][2] == "fib"
    )


def run() -> int:
    return corpus.fib(8)


@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
def test_coverage(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        core = "pytrace"
    monkeypatch.setenv("COVERAGE_CORE", core)
    measured = coverage.Coverage(data_file=None, include=[corpus.__file__])
    measured.start()
    try:
        assert fib_calls(run) == FIB_8
    finally:
        measured.stop()
    first = corpus.fib.__code__.co_firstlineno
    lines = measured.get_data().lines(corpus.__file__)
    assert lines is not None and first + 1 in lines


class Debugger(bdb.Bdb):
    """Steps through everything, and counts where it stopped."""

    steps = 0

    def user_line(self, frame: types.FrameType) -> None:
        self.steps += frame.f_code.co_name == "fib"
        self.set_step()


def test_a_debugger() -> None:
    debugger = Debugger()
    before = sys.gettrace()

    def debugged() -> None:
        try:
            debugger.runcall(corpus.fib, 8)
        finally:
            sys.settrace(before)

    assert fib_calls(debugged) == FIB_8
    assert debugger.steps == FIB_8


def test_line_profiles_and_measurements_within() -> None:
    profiler = LineProfiler(corpus.fib)
    assert fib_calls(lambda: profiler.runcall(run)) == FIB_8
    (lines,) = profiler.result().functions
    assert [line.hits for line in lines.lines if line.hits] == [FIB_8]
    assert fib_calls(lambda: measure(run)) == FIB_8


def test_from_another_thread() -> None:
    worker = threading.Thread(target=run)

    def threaded() -> None:
        worker.start()
        run()
        worker.join()

    assert fib_calls(threaded) == 2 * FIB_8
