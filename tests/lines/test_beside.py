"""Measured beside other tools that watch the same code: each sees what it would alone."""

from __future__ import annotations

import bdb
import cProfile
import pdb
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from types import FrameType
from typing import Any

import coverage
import pytest

from nbprobe._core import Allocations, Calls, LineEngine

from .conftest import hits, measuring


def count(n: int) -> int:
    total = 0
    for i in range(n):
        total += i
    return total


def guarded(n: int) -> int:
    try:
        return 10 // n
    except ZeroDivisionError:
        return -1


@contextmanager
def other_tools_off() -> Iterator[None]:
    """Without what watches the tests themselves, such as their own coverage."""
    trace, profile = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.settrace(trace)
        sys.setprofile(profile)


def test_beside_the_other_profilers() -> None:
    # GIVEN a tracer and cProfile that run while probes are in
    lines: list[int] = []

    def trace(frame: Any, event: str, argument: object) -> Any:
        if frame.f_code.co_name == "count":
            if event == "line":
                lines.append(frame.f_lineno - frame.f_code.co_firstlineno)
            return trace
        return None

    profile = cProfile.Profile()
    with measuring(count) as engine:
        profile.runcall(count, 3)
        sys.settrace(trace)
        try:
            count(2)
        finally:
            sys.settrace(None)
    # THEN each sees what it would see alone
    assert hits(engine, count) == {1: 2, 2: 7, 3: 5, 4: 2}
    assert lines == [1, 2, 3, 2, 3, 2, 4]
    calls = {
        entry.code.co_name: entry.callcount
        for entry in profile.getstats()
        if hasattr(entry.code, "co_name")
    }
    assert calls["count"] == 1


def covered(core: str, *calls: Callable[[], object]) -> tuple[set[int], set[Any]]:
    """Lines and jumps of this file that coverage sees."""
    tool = coverage.Coverage(
        data_file=None, config_file=False, include=[__file__], branch=core == "ctrace"
    )
    tool.set_option("run:core", core)
    tool.start()
    try:
        for call in calls:
            call()
    finally:
        tool.stop()
    data = tool.get_data()
    own = set(range(count.__code__.co_firstlineno, covered.__code__.co_firstlineno))
    return set(data.lines(__file__) or ()) & own, set(data.arcs(__file__) or ())


@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
@pytest.mark.filterwarnings("ignore::coverage.exceptions.CoverageWarning")
def test_beside_coverage(core: str) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring came with 3.12")

    def calls() -> None:
        count(3)
        guarded(5)
        guarded(0)

    with other_tools_off():
        # GIVEN what coverage sees of the functions alone
        lines, arcs = covered(core, calls)
        assert len(lines) >= 8
        # WHEN they are measured meanwhile
        with measuring(count, guarded) as engine:
            assert covered(core, calls) == (lines, arcs)
    # THEN both have seen all
    assert hits(engine, count) == {1: 1, 2: 4, 3: 3, 4: 1}
    assert hits(engine, guarded) == {1: 2, 2: 2, 3: 1, 4: 1}


class Stepper(bdb.Bdb):
    """Steps through `count` and writes down where it was and what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, Any]] = []

    def user_line(self, frame: FrameType) -> None:
        if frame.f_code.co_name == "count":
            line = frame.f_lineno - frame.f_code.co_firstlineno
            self.seen.append((line, frame.f_locals.get("total")))
        self.set_step()


def test_beside_a_debugger_that_steps() -> None:
    with other_tools_off():
        alone = Stepper()
        assert alone.runcall(count, 2) == 1
        with measuring(count) as engine:
            stepper = Stepper()
            assert stepper.runcall(count, 2) == 1
    assert stepper.seen == alone.seen
    assert hits(engine, count) == {1: 1, 2: 3, 3: 2, 4: 1}


def test_beside_pdb_with_a_breakpoint_that_changes_a_variable() -> None:
    def session() -> str:
        out = StringIO()
        debugger = pdb.Pdb(
            stdin=StringIO("continue\np i\n!total = 100\ncontinue\n"),
            stdout=out,
            nosigint=True,
            readrc=False,
        )
        line = count.__code__.co_firstlineno + 3
        debugger.reset()
        assert not debugger.set_break(__file__, line, temporary=True, cond="i == 1")
        results.append(debugger.runcall(count, 3))
        debugger.clear_all_breaks()
        return out.getvalue()

    results: list[Any] = []
    with other_tools_off():
        session()
        with measuring(count) as engine:
            text = session()
    assert results == [103, 103]
    assert "(Pdb) 1\n" in text
    assert hits(engine, count)[3] == 3


def test_beside_the_call_tree() -> None:
    with measuring(count, guarded) as engine:
        calls = Calls()
        for n in (1, 2):
            calls.runcall(count, n)
    assert hits(engine, count) == {1: 2, 2: 5, 3: 3, 4: 2}
    assert "count" in repr(calls.table())


@pytest.mark.parametrize("first", ["tracemalloc", "engine"])
def test_memory_beside_tracemalloc_and_allocations(first: str) -> None:
    def work() -> bytearray:
        return bytearray(100_000)

    engine = LineEngine(memory=True)
    engine.add(work)
    if first == "tracemalloc":
        tracemalloc.start()
        engine.start()
    else:
        engine.start()
        tracemalloc.start()
    with Allocations() as allocations:
        kept = work()
        traced = tracemalloc.get_traced_memory()[0]
    if first == "tracemalloc":
        engine.stop()
        tracemalloc.stop()
    else:
        tracemalloc.stop()
        engine.stop()
    size = sys.getsizeof(kept)
    assert traced >= size
    assert allocations.allocated_bytes >= size
    row = engine.memory_lines()[0][2][0]
    assert size <= row[1][0] < size + 1000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_beside_another_monitoring_tool() -> None:
    monitoring = sys.monitoring
    tool = monitoring.COVERAGE_ID
    monitoring.use_tool_id(tool, "test")
    lines: list[int] = []
    first = count.__code__.co_firstlineno
    monitoring.register_callback(
        tool, monitoring.events.LINE, lambda code, line: lines.append(line - first)
    )
    try:
        with measuring(count) as engine:
            monitoring.set_local_events(tool, count.__code__, monitoring.events.LINE)
            count(2)
            monitoring.set_local_events(tool, count.__code__, 0)
    finally:
        monitoring.free_tool_id(tool)
    assert lines == [1, 2, 3, 2, 3, 2, 4]
    assert hits(engine, count) == {1: 1, 2: 3, 3: 2, 4: 1}
