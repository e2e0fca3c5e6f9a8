"""What the line engine's own events take."""

from __future__ import annotations

import functools
from time import perf_counter_ns
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from .._core import LineEngine

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 20
_ROUNDS = 100
_CALLS = 2000
_REPEATS = 9


def _run_frame() -> None:
    pass


def _run(function: Callable[[int], None], rounds: int) -> None:
    function(rounds)


def _call(function: Callable[[], None], rounds: int) -> None:
    for _ in range(rounds):
        function()


@functools.cache
def _compile(body: str) -> FunctionType:
    """A loop of n rounds over `body`, by source, as its lines are what matters."""
    scope: dict[str, Any] = {}
    exec(f"def loop(n):\n    for _ in range(n):{body}\n", scope)
    return cast("FunctionType", scope["loop"])


def _shortest_ns(call: Callable[..., None], *args: object) -> int:
    shortest = None
    for _ in range(_REPEATS):
        start = perf_counter_ns()
        call(*args)
        took = perf_counter_ns() - start
        shortest = took if shortest is None else min(shortest, took)
    assert shortest is not None
    return shortest


def _cost_ns(
    engine: LineEngine,
    function: FunctionType,
    events: int,
    call: Callable[[FunctionType, int], None],
    count: int,
) -> float:
    """Time that probes in `function` add to ``call(function, count)``, per event."""
    engine.add(function)
    # A function of its own has the probes, so that nobody's heap is searched for others.
    probed = FunctionType(engine.replacement(function.__code__), {"range": range})
    call(function, count)
    bare = _shortest_ns(call, function, count)
    engine.start(everywhere=False)
    try:
        call(probed, count)
        measured = _shortest_ns(call, probed, count)
    finally:
        engine.stop()
    return max(0.0, (measured - bare) / events)


def event_costs(
    *, memory: bool = False, native: bool = False
) -> tuple[float, float, float]:
    """Measure what to set as ``LineEngine.costs``; takes about 4 ms.

    Parameters
    ----------
    memory, native : bool
        Those of the engine.

    Returns
    -------
    tuple of float
        ns for a line that starts, for a frame that is entered or left, and for a probe
        that finds its line running. Shortest of 9, so that a busy machine makes them
        too small rather than too large.
    """

    def new() -> LineEngine:
        return LineEngine(memory=memory, native=native)

    frame = cast("FunctionType", _run_frame)
    lines = _compile("\n        x = n" * _LINES)
    one_line = _compile(" pass")
    return (
        _cost_ns(new(), lines, _LINES * _ROUNDS, _run, _ROUNDS),
        _cost_ns(new(), frame, 2 * _CALLS, _call, _CALLS),
        _cost_ns(new(), one_line, _CALLS, _run, _CALLS),
    )
