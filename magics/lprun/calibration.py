"""What the line engine's own events take."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from .._core import LineEngine

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 20
_ROUNDS = 500
_REPEATS = 7


def _run_frame() -> None:
    pass


def _call(function: Callable[[], None], rounds: int) -> None:
    for _ in range(rounds):
        function()


def _compile(body: str) -> Callable[[int], None]:
    """A loop of n rounds over `body`, by source, as its lines are what matters."""
    scope: dict[str, Any] = {}
    exec(f"def loop(n):\n    for _ in range(n):{body}\n", scope)
    return cast("Callable[[int], None]", scope["loop"])


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
    function: Callable[..., None],
    events: int,
    call: Callable[..., None],
    *args: object,
) -> float:
    """Time that probes in `function` add to ``call(*args)``, per event."""
    engine.add(function)
    call(*args)
    bare = _shortest_ns(call, *args)
    engine.start()
    try:
        call(*args)
        measured = _shortest_ns(call, *args)
    finally:
        engine.stop()
    return max(0.0, (measured - bare) / events)


def event_costs(
    *, memory: bool = False, native: bool = False
) -> tuple[float, float, float]:
    """Measure what to set as ``LineEngine.costs``; takes about 12 ms.

    Parameters
    ----------
    memory, native : bool
        Those of the engine.

    Returns
    -------
    tuple of float
        ns for a line that starts, for a frame that is entered or left, and for a probe
        that finds its line running. Shortest of 7, so that a busy machine makes them
        too small rather than too large.
    """

    def new() -> LineEngine:
        return LineEngine(memory=memory, native=native)

    lines = _compile("\n        x = n" * _LINES)
    one_line = _compile(" pass")
    return (
        _cost_ns(new(), lines, _LINES * _ROUNDS, lines, _ROUNDS),
        _cost_ns(new(), _run_frame, 2 * 5000, _call, _run_frame, 5000),
        _cost_ns(new(), one_line, 10000, one_line, 10000),
    )
