"""The interface of the standard library's `timeit`, on our measurement."""

from __future__ import annotations

import itertools
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import IO, Any, Self

from .engine import Measurement, Settings, run
from .estimate import conclude
from .result import TimeitResult
from .subject import Statement, subject_of

__all__ = [
    "Seconds",
    "Timer",
    "default_number",
    "default_repeat",
    "default_timer",
    "main",
    "repeat",
    "timeit",
]

default_timer = time.perf_counter
default_number = 1_000_000
default_repeat = 5

# The functions of `time` whose clock the core reads itself.
_CLOCK_OF_TIMER: dict[Callable[[], float], str] = {
    time.perf_counter: "wall",
    time.monotonic: "wall",
    time.time: "real",
    time.process_time: "cpu",
    time.thread_time: "thread",
}


class Seconds(float):
    """A time in seconds that knows where it comes from.

    Attributes
    ----------
    result : TimeitResult or None
        The samples behind it; None when a `timer` of the user's own took the time.
    """

    result: TimeitResult | None

    def __new__(cls, seconds: float, result: TimeitResult | None) -> Self:
        """Make a float of `seconds` with the `result` beside it."""
        self = super().__new__(cls, seconds)
        self.result = result
        return self

    @property
    def per_loop(self) -> float:
        """Seconds per execution, of the samples that were not preempted."""
        return self._known().per_loop

    @property
    def ci(self) -> tuple[float, float] | None:
        """95 % interval of `per_loop`, seconds."""
        return self._known().ci

    @property
    def dropped(self) -> int:
        """Samples left out of `per_loop` because they were preempted."""
        return self._known().dropped

    def _known(self) -> TimeitResult:
        if self.result is None:
            raise AttributeError(
                "only the total is known of a time taken by a timer of your own"
            )
        return self.result


class Timer:
    """Time a statement, with the interface of the standard library's `timeit.Timer`.

    Parameters
    ----------
    stmt, setup : str or callable
        The statement and its setup.
    timer : callable
        What gives the time, in seconds. The clocks of the `time` module are read in C; any
        other function is called before and after the loop.
    globals : dict, optional
        Global names; by default an empty namespace with this module's builtins.

    Attributes
    ----------
    timer : callable
        What gives the time.
    """

    def __init__(
        self,
        stmt: Statement = "pass",
        setup: Statement = "pass",
        timer: Callable[[], float] = default_timer,
        globals: dict[str, Any] | None = None,
    ) -> None:
        namespace = {"__builtins__": __builtins__} if globals is None else globals
        self._subject = subject_of(stmt, setup, None, namespace, {})
        self.timer = timer

    def timeit(self, number: int = default_number) -> Seconds:
        """Execute the statement `number` times, after one setup.

        Returns
        -------
        Seconds
            The total time, a float; with `per_loop`, `ci` and `dropped`.
        """
        if number <= 0:
            return Seconds(0.0, None)
        clock = _CLOCK_OF_TIMER.get(self.timer)
        measurement = Measurement(self._subject, Settings(clock=clock or "wall"))
        if clock is None:
            taken: list[float] = []
            run([measurement], measurement.between_calls(self.timer, number, taken))
            return Seconds(taken[0], None)
        run([measurement], measurement.exactly(number))
        return Seconds(measurement.time_ns / 1e9, conclude(measurement))

    def repeat(
        self, repeat: int = default_repeat, number: int = default_number
    ) -> list[Seconds]:
        """Call `timeit` several times and return the total times."""
        return [self.timeit(number) for _ in range(repeat)]

    def autorange(
        self, callback: Callable[[int, float], Any] | None = None
    ) -> tuple[int, Seconds]:
        """Find a number (1, 2, 5, 10, 20, ...) that takes at least 0.2 s.

        Returns
        -------
        tuple of int and Seconds
            The number and the time that it took.
        """
        for exponent in itertools.count():
            for digit in (1, 2, 5):
                number = digit * 10**exponent
                taken = self.timeit(number)
                if callback is not None:
                    callback(number, taken)
                if taken >= 0.2:
                    return number, taken
        raise AssertionError("unreachable")

    def print_exc(self, file: IO[str] | None = None) -> None:
        """Print the traceback of the exception that the statement raised."""
        traceback.print_exc(file=sys.stderr if file is None else file)


def timeit(
    stmt: Statement = "pass",
    setup: Statement = "pass",
    timer: Callable[[], float] = default_timer,
    number: int = default_number,
    globals: dict[str, Any] | None = None,
    *,
    budget: float | None = None,
    each: str | None = None,
) -> Seconds:
    """Say how long `number` executions of a statement take, in seconds.

    Parameters
    ----------
    stmt, setup, timer, number, globals
        As for the standard library's `timeit.timeit`.
    budget : float, optional
        Seconds to spend: measure one execution as `measure` does instead of executing the
        statement `number` times, and multiply.
    each : str, optional
        A setup to run before every execution, outside of the clock; implies a budget.

    Returns
    -------
    Seconds
        The total time, a float; with `per_loop`, `ci` and `dropped`.
    """
    if budget is None and each is None:
        return Timer(stmt, setup, timer, globals).timeit(number)
    clock = _CLOCK_OF_TIMER.get(timer)
    if clock is None:
        raise ValueError("a timer of your own cannot be used with budget or each")
    from . import measure

    result = measure(
        stmt,
        setup,
        globals={"__builtins__": __builtins__} if globals is None else globals,
        budget=0.3 if budget is None else budget,
        clock=clock,
        each=each,
    )
    return Seconds(result.per_loop * number, result)


def repeat(
    stmt: Statement = "pass",
    setup: Statement = "pass",
    timer: Callable[[], float] = default_timer,
    repeat: int = default_repeat,
    number: int = default_number,
    globals: dict[str, Any] | None = None,
) -> list[Seconds]:
    """Say it several times: as the standard library's `timeit.repeat`."""
    return Timer(stmt, setup, timer, globals).repeat(repeat, number)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line of ``python -m timeit``, and give its exit code.

    Parameters
    ----------
    args : sequence of str, optional
        Those of the process without it.
    """
    from ..commands import timeit as command

    return command.main(sys.argv[1:] if args is None else list(args))
