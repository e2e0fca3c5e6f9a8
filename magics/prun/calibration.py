"""What recording a call costs, measured here and now.

The cost of an event pair falls into two parts, divided by the moment at which the clock is
read: what is *inside* is counted as the callee's own time, what is *outside* as its
caller's. Both are found with code whose own cost is next to nothing, run with and without
the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from threading import get_ident
from time import perf_counter_ns
from typing import NamedTuple

from .._core import Calls

__all__ = ["Costs", "costs"]

# Many short runs: some of them are not interrupted even on a busy machine.
_TURNS = 1000
_REPEATS = 24
_PLAIN = 3  # as many as are short beside one that is recorded
# Loops of this many calls each: in a loop of one, its own end hides part of the cost.
_CALLS = 4


class Costs(NamedTuple):
    """Cost of each kind of event pair, ns; the order is that of `Calls.table`."""

    call_inside: float = 0.0
    call_outside: float = 0.0
    native_inside: float = 0.0
    native_outside: float = 0.0
    resume_inside: float = 0.0
    resume_outside: float = 0.0
    other: float = 0.0


@cache
def costs(builtins: bool) -> Costs:
    """Measure what recording costs, with or without functions in C: 0.1 s, once.

    Notes
    -----
    Of several runs the fastest counts, so that a busy machine does not make the cost look
    larger than it is: what is subtracted is rather too little than too much.
    """
    call_inside, call_outside = _cost(_calls, builtins, 0.0)
    native = _cost(_native_calls, builtins, 0.0) if builtins else (0.0, 0.0)
    both = [(_plain(_resumes), _plain(_loop)) for _ in range(_REPEATS)]
    resumes, empty_loop = (min(times) for times in zip(*both, strict=True))
    resume = _cost(_resumes, builtins, max(resumes - empty_loop, 0.0))
    other = sum(_cost(_others, builtins, 0.0)) if builtins else 0.0
    return Costs(call_inside, call_outside, *native, *resume, other)


def _cost(run: Callable[[], None], builtins: bool, body: float) -> tuple[float, float]:
    """Give the cost inside and outside of a turn, whose callee takes `body` by itself."""
    plain: list[float] = []
    recorded: list[tuple[float, float]] = []
    # In turns: were one kind run after the other, a machine that is slower for some
    # milliseconds would have all of one and nothing of the other.
    for _ in range(_REPEATS):
        plain += (_plain(run) for _ in range(_PLAIN))
        recorded.append(_recorded(run, builtins))
    totals, insides = zip(*recorded, strict=True)
    whole = max(min(totals) - min(plain), 0.0)
    inside = min(max(min(insides) - body, 0.0), whole)
    return inside, whole - inside


def _plain(run: Callable[[], None]) -> float:
    start = perf_counter_ns()
    run()
    return (perf_counter_ns() - start) / _TURNS


def _recorded(run: Callable[[], None], builtins: bool) -> tuple[float, float]:
    """Give the time of a turn, and how much of it is the callee's."""
    calls = Calls(builtins=builtins)
    calls.runcall(run)
    _, threads = calls.table()
    # Other threads may be recorded too.
    here = get_ident()
    (nodes,) = (nodes for ident, nodes, _ in threads if ident == here)
    inside = sum(node[6] for node in nodes[2:])
    return nodes[1][5] / _TURNS, inside / _TURNS


def _loop() -> None:
    for _ in range(_TURNS):
        pass


def _empty() -> None:
    pass


def _calls() -> None:
    for _ in range(_TURNS // _CALLS):
        _empty()
        _empty()
        _empty()
        _empty()


def _native_calls() -> None:
    function = callable
    for _ in range(_TURNS // _CALLS):
        function(None)
        function(None)
        function(None)
        function(None)


def _generator() -> Iterator[None]:
    for _ in range(_TURNS):
        yield


def _resumes() -> None:
    for _ in _generator():
        pass


def _others() -> None:
    function = object
    for _ in range(_TURNS // _CALLS):
        function()
        function()
        function()
        function()
