"""What the tests of the line engine share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

import pytest

from nbprobe._core import LineEngine


@contextmanager
def measuring(*what: Any, memory: bool = False) -> Iterator[LineEngine]:
    """A running engine for functions or codes, which are themselves again afterwards."""
    engine = LineEngine(memory=memory)
    for one in what:
        engine.add(one)
    before = {one: one.__code__ for one in what if isinstance(one, FunctionType)}
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
    for function, code in before.items():
        assert function.__code__ is code


def in_a_small_process(script: str) -> str:
    """What a script prints in a process of its own: few objects to search, again and again."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def hits(
    engine: LineEngine, function: Any, thread: int | None = None
) -> dict[int, int]:
    """Hits by line, counted from the line of ``def``; lines never reached are left out."""
    wanted = function if isinstance(function, CodeType) else function.__code__
    for code, _, rows in engine.lines(thread):
        if code is wanted:
            return {row[0] - code.co_firstlineno: row[1] for row in rows if row[1]}
    raise AssertionError(f"{function} was not measured")


def how(engine: LineEngine, function: Any) -> str:
    return next(how for code, how, _ in engine.lines() if code is function.__code__)


def sealed(function: FunctionType) -> FunctionType:
    """The function with a handler table written in a way that no compiler writes it.

    It means the same, so that the function runs as before, but would not be written
    again byte for byte: such code must be left alone.
    """
    table = function.__code__.co_exceptiontable
    assert table, "needs a function with a try statement"
    superfluous = bytes([128 | 64, table[0] & 63]) + table[1:]
    function.__code__ = function.__code__.replace(co_exceptiontable=superfluous)
    return function


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    assert sys.gettrace() is None
    if sys.version_info >= (3, 12):
        tools = [sys.monitoring.get_tool(tool) for tool in range(6)]
        assert "nbprobe lines" not in tools
