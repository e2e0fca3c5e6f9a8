"""How long does a statement take.

`measure`, `compare` and `scale` are what the ``%timeit`` magic calls. `Timer`, `timeit`
and `repeat` take what those of the standard library's `timeit` take, and give its figures
together with what is known about them.

Examples
--------
>>> from nbprobe.timeit import measure
>>> result = measure("sorted(data)", "data = list(range(1000))", budget=0.01)
>>> result.executions > 0
True
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..code import Code
from .engine import CLOCKS, Measurement, Settings, run
from .estimate import compared, conclude, scaled
from .result import STATISTICS, Comparison, Fit, Ratio, Scaling, TimeitResult
from .standard import (
    Seconds,
    Timer,
    default_number,
    default_repeat,
    default_timer,
    main,
    repeat,
    timeit,
)
from .subject import Statement, subject_of

__all__ = [
    "Comparison",
    "Fit",
    "Ratio",
    "Scaling",
    "Seconds",
    "TimeitResult",
    "Timer",
    "compare",
    "default_number",
    "default_repeat",
    "default_timer",
    "main",
    "measure",
    "repeat",
    "scale",
    "timeit",
]


def measure(
    stmt: Statement = "pass",
    setup: Statement = "pass",
    *,
    globals: dict[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    number: int = 0,
    repeat: int = 0,
    budget: float = 0.3,
    clock: str = "wall",
    each: str | Code | None = None,
    statistic: str = "mean",
    counters: bool = False,
    precision: int = 3,
    label: str = "",
    on_partial: Callable[[TimeitResult], None] | None = None,
    callback: Callable[[int, float], Any] | None = None,
) -> TimeitResult:
    """Find out how long one execution of a statement takes.

    Parameters
    ----------
    stmt, setup : str or callable
        The statement, and what runs before it, once for every fresh frame of the
        measurement and outside of the clock. They may await.
    globals : dict, optional
        Their global names; by default the caller's. What the statement assigns is local
        to the measurement.
    locals : mapping, optional
        Further names, known to both as local variables.
    number, repeat : int
        Given one of them, measure as the built-in ``%timeit`` does: `repeat` runs (0: 7)
        of `number` loops (0: the power of ten that takes 0.2 s), the loop included.
    budget : float
        Seconds to spend, when neither is given. A statement that takes longer is executed
        once, any other at least 3 times.
    clock : {'wall', 'real', 'cpu'}
        CLOCK_MONOTONIC, CLOCK_REALTIME, or the CPU time of the process.
    each : str, optional
        A setup to run before every single execution, outside of the clock.
    statistic : {'mean', 'median', 'min', 'q1', 'max'}
        The headline figure: the mean over units of 1.5 ms or more, each in a fresh frame, or a
        quantile of all samples.
    counters : bool
        Count instructions, cycles and other events too, in a pass after the timing.
    precision : int
        Significant digits shown.
    label : str
        A name for the result.
    on_partial : callable, optional
        Is given the result so far when an exception ends the measurement.
    callback : callable, optional
        Is given what was tried to find the number of loops, as that of
        `Timer.autorange`: how many, and the seconds they took.

    Returns
    -------
    TimeitResult
        Times in ns per execution; `TimeitResult.executions` is how often it ran in all.

    Raises
    ------
    ValueError
        For an argument out of its range.
    SyntaxError
        For code that cannot be compiled.
    BaseException
        Whatever the code raises, KeyboardInterrupt included.

    Notes
    -----
    See `nbprobe.timeit.engine` for how the overhead of the loop, preempted samples and
    the placement in memory are dealt with. Involuntary context switches are those of
    getrusage(RUSAGE_THREAD).
    """
    settings = _settings(number, repeat, budget, clock, statistic, counters, precision)
    namespace = _caller_globals() if globals is None else globals
    subject = subject_of(stmt, setup, each, namespace, locals or {})
    measurement = Measurement(subject, settings, label)
    try:
        run([measurement])
    except BaseException:
        partial = conclude(measurement, interrupted=True)
        if partial is not None and on_partial is not None:
            on_partial(partial)
        raise
    if callback is not None:
        for tried, time_ns in measurement.trials:
            callback(tried, time_ns / 1e9)
    result = conclude(measurement)
    assert result is not None
    return result


def compare(
    stmts: Sequence[Statement],
    setup: Statement = "pass",
    *,
    labels: Sequence[str] | None = None,
    globals: dict[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    number: int = 0,
    repeat: int = 0,
    budget: float = 0.3,
    clock: str = "wall",
    each: str | Code | None = None,
    statistic: str = "mean",
    counters: bool = False,
    precision: int = 3,
    on_partial: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Measure several statements in turns and relate their times.

    They take turns of 1.5 ms or more in a random order, so that whatever the machine does
    meanwhile happens to all of them.

    Parameters
    ----------
    stmts : sequence of str or callable
        The candidates, at least two; the first one is the baseline.
    labels : sequence of str, optional
        Their names; by default their source.
    budget : float
        Seconds to spend on each of them.
    setup, globals, locals, number, repeat, clock, each, statistic, counters, precision
        As for `measure`.
    on_partial : callable, optional
        Is given the comparison so far when an exception ends it.

    Returns
    -------
    Comparison
        A result and a ratio to the first statement for each, with 95 % intervals.

    Raises
    ------
    ValueError
        For fewer than two statements, or as `measure`.
    """
    if len(stmts) < 2:
        raise ValueError("a comparison needs at least two statements")
    if labels is not None and len(labels) != len(stmts):
        raise ValueError("there must be one label for each statement")
    settings = _settings(number, repeat, budget, clock, statistic, counters, precision)
    namespace = _caller_globals() if globals is None else globals
    subjects = [
        subject_of(stmt, setup, each, namespace, locals or {}) for stmt in stmts
    ]
    names = labels or [subject.body.source.strip() for subject in subjects]
    measurements = [
        Measurement(subject, settings, name)
        for subject, name in zip(subjects, names, strict=True)
    ]
    try:
        run(measurements)
    except BaseException:
        partial = compared(measurements, interrupted=True)
        if partial is not None and on_partial is not None:
            on_partial(partial)
        raise
    comparison = compared(measurements)
    assert comparison is not None
    return comparison


def scale(
    stmt: Statement,
    setup: Statement = "pass",
    *,
    name: str,
    values: Sequence[float],
    globals: dict[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    number: int = 0,
    repeat: int = 0,
    budget: float = 0.3,
    clock: str = "wall",
    each: str | Code | None = None,
    statistic: str = "mean",
    counters: bool = False,
    precision: int = 3,
    on_partial: Callable[[Scaling], None] | None = None,
) -> Scaling:
    """Measure a statement over a range of sizes and fit a complexity class.

    Parameters
    ----------
    name : str
        The variable that holds the size, known to the setup and the statement.
    values : sequence of int or float
        Its values.
    budget : float
        Seconds to spend on each value.
    stmt, setup, globals, locals, number, repeat, clock, each, statistic, counters, precision
        As for `measure`.
    on_partial : callable, optional
        Is given the values so far when an exception ends it.

    Returns
    -------
    Scaling
        A result for each value, the exponent of the log-log line through them, and the
        complexity classes, the best one first.

    Raises
    ------
    ValueError
        For a name that is no identifier or no values, or as `measure`.
    """
    if not name.isidentifier():
        raise ValueError(f"the name of the size must be an identifier, not {name!r}")
    if not values:
        raise ValueError("a range of sizes needs at least one value")
    namespace = _caller_globals() if globals is None else globals
    results: list[TimeitResult] = []
    try:
        results.extend(
            measure(
                stmt,
                setup,
                globals=namespace,
                locals={**(locals or {}), name: value},
                number=number,
                repeat=repeat,
                budget=budget,
                clock=clock,
                each=each,
                statistic=statistic,
                counters=counters,
                precision=precision,
                label=f"{name}={value}",
            )
            for value in values
        )
    except BaseException:
        partial = scaled(name, values, results, interrupted=True)
        if partial is not None and on_partial is not None:
            on_partial(partial)
        raise
    scaling = scaled(name, values, results)
    assert scaling is not None
    return scaling


def _caller_globals() -> dict[str, Any]:
    """Find the globals of whoever called the public function that calls this one."""
    return sys._getframe(2).f_globals


def _settings(
    number: int,
    repeat: int,
    budget: float,
    clock: str,
    statistic: str,
    counters: bool,
    precision: int,
) -> Settings:
    if number < 0 or repeat < 0:
        raise ValueError("number and repeat must not be negative")
    if not (budget > 0 and math.isfinite(budget)):
        raise ValueError("the budget must be a positive number of seconds")
    if clock not in CLOCKS:
        raise ValueError(f"clock must be one of {', '.join(CLOCKS)}")
    if statistic not in STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(STATISTICS)}")
    if not 0 <= precision <= 100:
        raise ValueError("precision must be between 0 and 100")
    return Settings(
        number=number,
        repeat=repeat,
        budget=budget,
        clock=clock,
        statistic=statistic,
        counters=counters,
        precision=precision,
    )
