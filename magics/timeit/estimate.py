"""What the samples of a measurement say: figures with intervals, ratios, fits."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean, median
from typing import Final

from .. import _core
from .engine import Measurement
from .result import Comparison, Fit, Ratio, Scaling, TimeitResult, independent_ratio

_RUNS: Final = 7
_Z95: Final = 1.959964
_QUANTILES: Final = {"min": 0.0, "q1": 0.25, "median": 0.5, "max": 1.0}
# Units that are fewer say too little of each other.
_FEWEST_JUDGED: Final = 8
# The work that tells the pace scatters by 2 %; a neighbour makes it 1.5 to 2 times as long.
_SAME_PACE: Final = 1.06
# Fewer pairs than this say more as two independent measurements than as pairs.
_FEWEST_PAIRS: Final = 7


def conclude(
    measurement: Measurement, *, interrupted: bool = False
) -> TimeitResult | None:
    """Say what is known so far; None when not even one sample is there."""
    units, preempted = _chosen_units(measurement)
    if not units:
        return None
    warmup = _warmup(measurement, units)
    paces = measurement.paces[warmup:]
    units, disturbed = _undisturbed(measurement, units[warmup:], paces)
    figures = [_unit_figure(measurement, unit) for unit in units]
    samples = [sample for unit in units for sample in unit]
    estimate, interval = _headline(measurement.settings.statistic, figures, samples)
    if measurement.empty and measurement.method == "slope":
        # What the samples show is the clock's noise round nothing.
        figures, estimate, interval = [0.0] * len(figures), 0.0, None
    runs = figures if measurement.method == "stock" else _runs(figures)
    is_each = measurement.method == "each"
    clean_ns = measurement.clean_ns
    has_overhead = measurement.method in ("slope", "each") and measurement.overheads
    return TimeitResult(
        statement=measurement.subject.body.source,
        setup=measurement.subject.setup.source,
        label=measurement.label,
        method=measurement.method,
        statistic=measurement.settings.statistic,
        runs_ns=tuple(runs),
        loops=_loops(measurement, len(runs)),
        estimate_ns=estimate,
        ci_ns=interval,
        samples_ns=tuple(samples),
        preempted=preempted,
        disturbed=disturbed,
        warmup=warmup,
        first_ns=measurement.first_ns,
        executions=measurement.executions,
        setups=measurement.executions if is_each else measurement.setups,
        unroll=measurement.copies if measurement.method == "slope" else (1, 1),
        overhead_ns=median(measurement.overheads) if has_overhead else None,
        measured_ns=measurement.time_ns,
        cpu_share=min(1.0, measurement.clean_cpu_ns / clean_ns) if clean_ns else None,
        gc_enabled=measurement.collector_on,
        gc_collections=measurement.collections,
        gc_ns=measurement.collecting_ns,
        allocations=measurement.memory.allocations,
        allocated_bytes=measurement.memory.allocated_bytes,
        gc_share=measurement.memory.gc_share,
        counters=measurement.counters,
        counters_note=measurement.counters_note,
        clock=measurement.settings.clock,
        clock_resolution_ns=_core.clock_resolution_ns(measurement.clock),
        compile_ns=measurement.compile_ns,
        precision=measurement.settings.precision,
        empty=measurement.empty,
        interrupted=interrupted,
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _chosen_units(measurement: Measurement) -> tuple[list[list[float]], int]:
    """Take the clean samples, or all of them where hardly one is clean.

    A statement of many milliseconds is preempted in nearly every execution on a busy
    machine; then a figure with other tasks' time in it is better than none.
    """
    clean = sum(map(len, measurement.units))
    if clean >= 3 or not measurement.aside:
        return measurement.units, len(measurement.aside)
    return [*measurement.units, *([value] for value in measurement.aside)], 0


def _undisturbed(
    measurement: Measurement, units: list[list[float]], paces: Sequence[float]
) -> tuple[list[list[float]], int]:
    """Leave out the units that stick out, and count their samples.

    On a shared machine, a neighbour can slow all samples down for milliseconds without
    taking the core away, and for most of the time. What the pace of the processor does
    not tell, the figures do: center and spread come from the
    shortest interval that holds a third of the units (the shorth of Andrews et al. 1972
    takes a half), so that two thirds of them may be spoilt. Long executions, of which one
    is a unit, differ for reasons of their own: none is left out.
    """
    if measurement.method not in ("slope", "loop") or len(units) < _FEWEST_JUDGED:
        return units, 0
    if max(map(len, units)) < 3:
        return units, 0
    steady = _at_the_best_pace(units, paces)
    figures = [_unit_figure(measurement, unit) for unit in steady]
    center, spread = _densest_third(figures)
    reach = 3 * spread
    kept = [
        unit
        for unit, figure in zip(steady, figures, strict=True)
        if abs(figure - center) <= reach
    ]
    if measurement.method == "slope":
        kept = _without_broken_pairs(kept)
    return kept, sum(map(len, units)) - sum(map(len, kept))


def _at_the_best_pace(
    units: list[list[float]], paces: Sequence[float]
) -> list[list[float]]:
    """Leave out the units round which the processor was slower than at its best.

    Judged by work of our own before and after them, not by the units: so none of the
    statement's own times is preferred, however many it has.
    """
    if len(paces) != len(units):
        return units  # samples that were set aside are among them
    best = sorted(paces)[len(paces) // 10]
    steady = [
        unit
        for unit, pace in zip(units, paces, strict=True)
        if pace <= _SAME_PACE * best
    ]
    return steady if len(steady) >= _FEWEST_JUDGED else units


def _without_broken_pairs(units: list[list[float]]) -> list[list[float]]:
    """Leave out differences with one disturbed side: far off, even below zero."""
    center, spread = _densest_third([sample for unit in units for sample in unit])
    reach = 10 * spread
    inside = [[x for x in unit if abs(x - center) <= reach] for unit in units]
    return [unit for unit in inside if unit]


def _densest_third(figures: Sequence[float]) -> tuple[float, float]:
    """Give the middle of the shortest interval with a third of the figures, and a spread.

    The spread is scaled to be the standard deviation of a normal distribution, and at
    least 1.5 %: places in memory that differ by so much are all part of the answer.
    """
    ordered = sorted(figures)
    third = len(ordered) // 3 + 1
    low, high = min(
        zip(ordered, ordered[third - 1 :], strict=False),
        key=lambda ends: ends[1] - ends[0],
    )
    center = (low + high) / 2
    return center, max((high - low) / 2 / 0.4307, 0.015 * abs(center))


def _unit_figure(measurement: Measurement, unit: Sequence[float]) -> float:
    """One figure a unit: robust where a sample is a difference of two noisy times."""
    return median(unit) if measurement.method == "slope" else fmean(unit)


def _warmup(measurement: Measurement, units: Sequence[Sequence[float]]) -> int:
    """Count the leading units that were still changing; loops of copies are warm already."""
    if measurement.method not in ("loop", "each") or len(units) < 4:
        return 0
    return _core.steady_from([fmean(unit) for unit in units])


def _headline(
    statistic: str, figures: Sequence[float], samples: Sequence[float]
) -> tuple[float, tuple[float, float] | None]:
    """Give the statistic and its 95 % interval; the units are the independent draws."""
    if statistic == "mean":
        if len(figures) < 3:
            return fmean(figures), None
        mean, low, high = _core.mean_interval(figures)
        return mean, (low, high)
    q = _QUANTILES[statistic]
    estimate = _core.quantile(samples, q)
    if len(figures) < 3 or q in (0.0, 1.0):
        return estimate, None
    # Order statistics: the ranks between which the quantile lies, whatever the
    # distribution (Conover, Practical Nonparametric Statistics, 3.2).
    reach = _Z95 * math.sqrt(q * (1 - q) / len(figures))
    return estimate, (
        _core.quantile(samples, max(0.0, q - reach)),
        _core.quantile(samples, min(1.0, q + reach)),
    )


def _runs(figures: Sequence[float]) -> list[float]:
    """Join units next to each other in time to at most 7 runs, as the built-in shows."""
    count = min(_RUNS, len(figures))
    edges = [round(index * len(figures) / count) for index in range(count + 1)]
    return [fmean(figures[low:high]) for low, high in pairwise(edges)]


def _loops(measurement: Measurement, runs: int) -> int:
    if measurement.method == "stock":
        return measurement.loops
    return max(1, measurement.measured_executions // runs)


def compared(
    measurements: Sequence[Measurement], *, interrupted: bool = False
) -> Comparison | None:
    """Relate the others to the first; None unless two at least have samples."""
    known = [
        (measurement, result)
        for measurement in measurements
        if (result := conclude(measurement, interrupted=interrupted)) is not None
    ]
    if len(known) < 2:
        return None
    baseline, baseline_result = known[0]
    ratios = [Ratio(1.0, 1.0, 1.0)]
    for measurement, result in known[1:]:
        pairs = _pairs(measurement, baseline)
        if len(pairs) >= _FEWEST_PAIRS and result.statistic == "mean":
            ratios.append(_paired_ratio(pairs))
        else:
            ratios.append(independent_ratio(result, baseline_result))
    return Comparison(
        results=tuple(result for _, result in known),
        baseline=0,
        ratios=tuple(ratios),
        rounds=min(len(measurement.units) for measurement, _ in known),
        interrupted=interrupted,
    )


def _pairs(one: Measurement, other: Measurement) -> list[tuple[float, float]]:
    """Pair the units of the same round, which saw the same state of the machine."""
    return [
        (figure, base)
        for figure, base in (
            (_unit_figure(one, unit), _unit_figure(other, base_unit))
            for unit, base_unit in zip(one.units, other.units, strict=False)
        )
        if figure > 0 and base > 0
    ]


def _paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    logs = [math.log(figure / base) for figure, base in pairs]
    mean, low, high = _core.mean_interval(logs)
    return Ratio(math.exp(mean), math.exp(low), math.exp(high))


def scaled(
    name: str,
    values: Sequence[float],
    results: Sequence[TimeitResult],
    *,
    interrupted: bool = False,
) -> Scaling | None:
    """Fit complexity classes to the times; None without a result."""
    if not results:
        return None
    sizes = list(map(float, values[: len(results)]))
    times = [result.estimate_ns for result in results]
    fits: list[Fit] = []
    exponent = error = math.nan
    if len(times) >= 3 and min(times) > 0 and min(sizes) > 0:
        exponent, error = _core.fit_power(sizes, times)
        fits = [
            Fit(label, coefficient, offset, rms, tuple(residuals))
            for label, coefficient, offset, rms, residuals in _core.fit_complexity(
                sizes, times
            )
        ]
    return Scaling(
        name=name,
        values=tuple(sizes),
        results=tuple(results),
        fits=tuple(fits),
        exponent=exponent,
        exponent_error=error,
        interrupted=interrupted,
    )
