"""Beside coverage, debuggers, cProfile and other tools of ours: everybody goes on."""

from __future__ import annotations

import bdb
import cProfile
import io
import pstats
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage
import pytest

from nbprobe.lprun import LineProfiler
from nbprobe.prun import Profile
from nbprobe.timeit import timeit

from . import workload

HITS = {11: 1, 12: 6, 13: 5, 14: 2, 16: 3, 17: 1}


def profiled(call: Callable[[], Any] = lambda: workload.plain(5)) -> dict[int, int]:
    profiler = LineProfiler(workload.plain)
    profiler.runcall(call)
    (function,) = profiler.result().functions
    return {line.number: line.hits for line in function.lines}


@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
def test_coverage_sees_every_line(
    core: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        core = "pytrace"
    monkeypatch.setenv("COVERAGE_CORE", core)
    measured = coverage.Coverage(data_file=None, include=[workload.__file__])
    measured.start()
    try:
        assert profiled() == HITS
    finally:
        measured.stop()
    lines = measured.get_data().lines(workload.__file__)
    assert lines is not None and set(lines) == set(HITS)


class Debugger(bdb.Bdb):
    """Steps through everything, and notes the lines that it stopped at."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def user_line(self, frame: types.FrameType) -> None:
        if frame.f_code.co_name == "plain":
            self.seen.append(frame.f_lineno)
        self.set_step()


def test_debugger_stops_at_every_line() -> None:
    def stepped() -> list[int]:
        debugger = Debugger()
        before = sys.gettrace()
        try:
            debugger.runcall(workload.plain, 2)
        finally:
            sys.settrace(before)
        return debugger.seen

    alone = stepped()
    beside: list[int] = []
    hits = profiled(lambda: beside.extend(stepped()))
    assert beside == alone
    assert hits == {11: 1, 12: 3, 13: 2, 14: 1, 16: 1, 17: 1}


def test_cprofile_counts_every_call() -> None:
    theirs = cProfile.Profile()
    assert profiled(lambda: theirs.runcall(workload.plain, 5)) == HITS
    stats = pstats.Stats(theirs, stream=io.StringIO())
    calls = {key[2]: row[0] for key, row in stats.stats.items()}  # type: ignore[attr-defined]
    assert calls["plain"] == 1


def test_line_profiler_inside_of_cprofile() -> None:
    theirs = cProfile.Profile()
    assert theirs.runcall(profiled) == HITS
    stats = pstats.Stats(theirs, stream=io.StringIO())
    assert any(key[2] == "plain" for key in stats.stats)  # type: ignore[attr-defined]


def test_prun_counts_every_call() -> None:
    profile = Profile()
    assert profiled(lambda: profile.runcall(workload.plain, 5)) == HITS
    names = {function.name: function for function in profile.result().functions}
    assert "plain" in names


def test_timeit_of_a_profiled_function() -> None:
    timing = []

    def times() -> None:
        timing.append(timeit("plain(5)", number=3, globals={"plain": workload.plain}))

    hits = profiled(times)
    assert hits[11] >= 3 and hits[12] == 6 * hits[11]
    assert timing
