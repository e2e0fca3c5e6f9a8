"""What the line engine's own events take."""

from __future__ import annotations

import functools
from time import perf_counter_ns
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from .._core import LineEngine
from ..pace import per_pace

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 20
_ROUNDS = 100
_CALLS = 2000
_REPEATS = 24


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
    scope: dict[str, Any] = {"text": "text"}
    exec(f"def loop(n):\n    for _ in range(n):{body}\n", scope)
    return cast("FunctionType", scope["loop"])


def _took_ns(call: Callable[..., None], *args: object) -> int:
    start = perf_counter_ns()
    call(*args)
    return perf_counter_ns() - start


def _cost(
    engine: LineEngine,
    function: FunctionType,
    events: int,
    call: Callable[[FunctionType, int], None],
    count: int,
) -> tuple[float, float]:
    """Time that probes in `function` add to ``call(function, count)``.

    Returns
    -------
    cost, pace
        An event's, in units of the pace; and that, ns.
    """
    engine.add(function)
    # A function of its own has the probes, so that nobody's heap is searched for others.
    probed = FunctionType(
        engine.replacement(function.__code__), {"range": range, "text": "text"}
    )

    def turn() -> tuple[float]:
        bare = _took_ns(call, function, count)
        with_probes = _took_ns(call, probed, count)
        bare = min(bare, _took_ns(call, function, count))
        return ((with_probes - bare) / events,)

    engine.start(everywhere=False)
    try:
        turn()
        (cost,), pace = per_pace(turn, _REPEATS)
    finally:
        engine.stop()
    return max(0.0, cost), pace


def event_costs(
    *, memory: bool = False, native: bool = False
) -> tuple[float, float, float, float]:
    """Measure what to set as ``LineEngine.costs``; takes about 8 ms.

    Parameters
    ----------
    memory, native : bool
        Those of the engine.

    Returns
    -------
    tuple of float
        ns for a line that starts, for a frame that is entered or left, and for a probe
        that finds its line running; and the pace of the processor meanwhile.
    """

    def new() -> LineEngine:
        return LineEngine(memory=memory, native=native)

    frame = cast("FunctionType", _run_frame)
    # They do some work, as most do, beside which the processor has room for a probe.
    lines = _compile("\n        x = text[1:3]" * _LINES)
    one_line = _compile(" pass")
    line, pace = _cost(new(), lines, _LINES * _ROUNDS, _run, _ROUNDS)
    enter, _ = _cost(new(), frame, 2 * _CALLS, _call, _CALLS)
    same, _ = _cost(new(), one_line, _CALLS, _run, _CALLS)
    return line * pace, enter * pace, same * pace, pace
