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

from .._core import Calls, pace_ratio
from ..pace import per_pace

__all__ = ["Costs", "costs"]

# What to run, and the same without the calls where that takes time of its own.
_Kind = tuple[Callable[[], None], Callable[[], None] | None]

_TURNS = 1000
# Short runs: most of them are not interrupted even on a busy machine.
_REPEATS = 40
# Loops of this many calls each: in a loop of one, its own end hides part of the cost.
_CALLS = 4


class Costs(NamedTuple):
    """Cost of each kind of event pair, ns; the order is that of `Calls.table`.

    The last is `_core.pace_ns` as that was measured, 0 when it is not known.
    """

    call_inside: float = 0.0
    call_outside: float = 0.0
    native_inside: float = 0.0
    native_outside: float = 0.0
    resume_inside: float = 0.0
    resume_outside: float = 0.0
    other: float = 0.0
    pace: float = 0.0

    def at(self, pace: float) -> Costs:
        """Give what it costs at another pace of the processor, ns."""
        ratio = pace_ratio(pace, self.pace)
        scaled = Costs._make(cost * ratio for cost in self)
        return scaled._replace(pace=pace or self.pace)

    @property
    def of_events(self) -> tuple[float, float, float, float, float, float, float]:
        """Give the costs alone."""
        return self[:-1]


@cache
def costs(builtins: bool) -> Costs:
    """Measure what recording costs, with or without functions in C: 0.1 s, once.

    Notes
    -----
    It is a matter of the pace that the processor has at the moment, which is measured
    with it: subtract `Costs.at` the pace of the recording.
    """
    calls = Calls(builtins=builtins)
    kinds: list[_Kind] = [(_calls, None), (_resumes, _loop)]
    if builtins:
        kinds += [(_native_calls, None), (_others, None)]

    def turn() -> tuple[float, ...]:
        return tuple(part for kind in kinds for part in _turn(calls, *kind))

    # All kinds in every turn: a bad moment falls on few turns of each, not on all of one.
    times, pace = per_pace(turn, _REPEATS)
    call, resume, native = times[:2], times[2:4], times[4:6] or (0.0, 0.0)
    in_paces = (*call, *native, *resume, sum(times[6:]), 1.0)
    return Costs._make(pace * cost for cost in in_paces)


def _turn(
    calls: Calls, run: Callable[[], None], without: Callable[[], None] | None
) -> tuple[float, float]:
    """Give the cost inside and outside of a call; `without` is the run without callees."""
    plain = _plain(run)
    body = plain - _plain(without) if without else 0.0
    total, inside = _recorded(run, calls)
    plain = min(plain, _plain(run))
    whole = max(total - plain, 0.0)
    inside = min(max(inside - body, 0.0), whole)
    return inside, whole - inside


def _plain(run: Callable[[], None]) -> float:
    start = perf_counter_ns()
    run()
    return (perf_counter_ns() - start) / _TURNS


def _recorded(run: Callable[[], None], calls: Calls) -> tuple[float, float]:
    """Give the time of a call with its part of the loop, and how much is the callee's."""
    calls.clear()
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
