"""What a timing gives: one statement, several compared, one over a range of sizes.

Plain data; every time is in nanoseconds per execution of the statement unless its name
or its description says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from .._core import outliers, quantile
from ..live.processes import Process
from ..results import Result

__all__ = ["Comparison", "Fit", "Ratio", "Scaling", "TimeitResult"]

METHODS = ("slope", "loop", "each", "stock", "once")
STATISTICS = ("mean", "median", "min", "q1", "max")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TimeitResult(Result):
    """How long a statement takes, and how that is known.

    It has the attributes of the object that the built-in ``%timeit -o`` returns (`loops`,
    `repeat`, `best`, `worst`, `all_runs`, `compile_time`, `timings`, `average`, `stdev`),
    with their units: seconds.

    Attributes
    ----------
    statement, setup : str
        The code as the user wrote it.
    label : str
        The name in a comparison; empty when there is none.
    method : str
        How it was measured: ``'slope'``, the loop's overhead cancelled between two numbers
        of copies of the statement (`unroll`); ``'loop'``, one copy in the loop, whose
        overhead is below the resolution because the statement is long; ``'each'``, every
        execution timed on its own after a fresh setup; ``'stock'``, number or repeat given,
        the built-in's runs and loops with its loop overhead included; ``'once'``, longer
        than the budget and executed a single time.
    statistic : str
        What `estimate_ns` is: ``'mean'``, ``'median'``, ``'min'``, ``'q1'`` or ``'max'``.
    runs_ns : tuple of float
        One figure a run: a stretch of clean samples next to each other in time, or the
        built-in's run with method ``'stock'``.
    loops : int
        Executions measured in each run.
    estimate_ns : float
        The headline figure.
    ci_ns : tuple of two floats, or None
        95 % interval of `estimate_ns`; None with fewer than 3 samples.
    samples_ns : tuple of float
        One figure a clean sample, in order of time.
    preempted : int
        Samples dropped because the kernel gave the core to another task during them;
        source: involuntary context switches of the thread (``getrusage``).
    disturbed : int
        Samples dropped because the processor was slower round their unit than at its
        best, or all of their unit stuck out: for milliseconds something else kept the
        caches or the processor busy.
    warmup : int
        Leading samples dropped because they were still changing.
    first_ns : int
        The first execution, with everything cold, ns; not part of the samples.
    executions : int
        How often the statement ran in all: calibration, warm-up and dropped samples
        included.
    setups : int
        How often the setup ran.
    unroll : tuple of two ints
        Copies of the statement in the two loops; ``(1, 1)`` when not unrolled.
    overhead_ns : float or None
        Loop (or clock) overhead that was cancelled, ns per loop; None with method
        ``'stock'``.
    measured_ns : int
        Wall time of all samples, ns in all.
    cpu_share : float or None
        CPU time divided by wall time over the clean samples, 1 for a statement that never
        waits; None where the thread's CPU clock is not available.
    gc_enabled : bool
        Whether the cyclic garbage collector was on while measuring.
    gc_collections : int
        Collections inside samples.
    gc_ns : int
        Their time, ns in all.
    allocations, allocated_bytes : float or None
        Blocks and bytes that Python's allocators gave out, per execution, counted after
        the timing in some more of them; None where the statement runs exactly as often
        as asked or as the built-in runs it.
    gc_share : float or None
        The collector's share of the time with the collector on, 0 to 1, in a further
        pass; None as above, and for a statement that takes long.
    counters : dict of str to float
        Hardware and kernel events per execution (``'instructions'``, ``'cycles'``, ...);
        empty when not asked for.
    counters_note : str
        One line when counters were asked for and not all are available; else empty.
    clock : str
        The clock that was read: ``'wall'``, ``'real'`` or ``'cpu'``.
    clock_resolution_ns : int
        Its resolution, ns.
    compile_ns : int
        CPU time of compiling the statement, ns.
    precision : int
        Significant digits shown.
    empty : bool
        Whether the statement compiled to nothing.
    interrupted : bool
        Whether an exception or Ctrl-C ended the measurement early.
    python : str
        Version of the interpreter.
    created : str
        When, ISO 8601, UTC.

    Notes
    -----
    The interval covers the scatter of the samples, not what differs between two processes
    (hash seed, address layout): compare in one process where it matters.

    See Also
    --------
    IPython's ``%timeit -o``
    """

    kind: ClassVar[str] = "timeit"

    statement: str
    setup: str
    label: str
    method: str
    statistic: str
    runs_ns: tuple[float, ...]
    loops: int
    estimate_ns: float
    ci_ns: tuple[float, float] | None
    samples_ns: tuple[float, ...]
    preempted: int
    disturbed: int
    warmup: int
    first_ns: int
    executions: int
    setups: int
    unroll: tuple[int, int]
    overhead_ns: float | None
    measured_ns: int
    cpu_share: float | None
    gc_enabled: bool
    gc_collections: int
    gc_ns: int
    allocations: float | None = None
    allocated_bytes: float | None = None
    gc_share: float | None = None
    counters: dict[str, float]
    counters_note: str
    clock: str
    clock_resolution_ns: int
    compile_ns: int
    precision: int
    empty: bool
    interrupted: bool
    python: str
    created: str

    def __post_init__(self) -> None:
        """Refuse what no measurement gives, so that views need not expect it."""
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}")
        if self.statistic not in STATISTICS:
            raise ValueError(f"statistic must be one of {', '.join(STATISTICS)}")
        if not self.runs_ns or not self.samples_ns:
            raise ValueError("a result needs at least one run and one sample")
        if not 0 <= self.precision <= 100:
            raise ValueError("precision must be between 0 and 100")

    @property
    def repeat(self) -> int:
        """Number of runs."""
        return len(self.runs_ns)

    @property
    def timings(self) -> list[float]:
        """Seconds per execution, one figure a run."""
        return [run / 1e9 for run in self.runs_ns]

    @property
    def all_runs(self) -> list[float]:
        """Seconds per run: of all its executions together."""
        return [timing * self.loops for timing in self.timings]

    @property
    def best(self) -> float:
        """Seconds per execution in the fastest run."""
        return min(self.timings)

    @property
    def worst(self) -> float:
        """Seconds per execution in the slowest run."""
        return max(self.timings)

    @property
    def average(self) -> float:
        """Mean of the runs, seconds per execution."""
        return _mean(self.timings)

    @property
    def stdev(self) -> float:
        """Population standard deviation of the runs, seconds per execution."""
        mean = self.average
        return math.sqrt(
            _mean([(timing - mean) * (timing - mean) for timing in self.timings])
        )

    @property
    def compile_time(self) -> float:
        """Seconds of CPU time that compiling the statement took."""
        return self.compile_ns / 1e9

    @property
    def _precision(self) -> int:
        return self.precision

    @property
    def per_loop(self) -> float:
        """The headline figure, seconds per execution."""
        return self.estimate_ns / 1e9

    @property
    def ci(self) -> tuple[float, float] | None:
        """95 % interval of `per_loop`, seconds; None with fewer than 3 samples."""
        if self.ci_ns is None:
            return None
        low, high = self.ci_ns
        return low / 1e9, high / 1e9

    @property
    def dropped(self) -> int:
        """Samples dropped as preempted or disturbed."""
        return self.preempted + self.disturbed

    @property
    def relative_error(self) -> float | None:
        """Half the width of the 95 % interval over the estimate; None without interval."""
        if self.ci_ns is None or not self.estimate_ns:
            return None
        low, high = self.ci_ns
        return (high - low) / 2 / abs(self.estimate_ns)

    @property
    def quartiles_ns(self) -> tuple[float, float, float]:
        """First quartile, median and third quartile of the clean samples."""
        try:
            q1, median, q3 = (quantile(self.samples_ns, q) for q in (0.25, 0.5, 0.75))
        except ValueError:  # NaN has no place in the order; only a file can hold it
            return math.nan, math.nan, math.nan
        return q1, median, q3

    @property
    def outliers(self) -> tuple[int, int]:
        """Clean samples beyond Tukey's fences: mild (1.5 to 3 IQR) and severe (beyond 3)."""
        try:
            return outliers(self.samples_ns)
        except ValueError:
            return 0, 0

    def diff(self, other: TimeitResult) -> Comparison:
        """Compare a later measurement with this one.

        Parameters
        ----------
        other : TimeitResult
            The later one; this one is the baseline.

        Returns
        -------
        Comparison
            Of the two as independent measurements (`rounds` is 0): the interval of the
            ratio combines the intervals of both, and what changed on the machine between
            them is part of the difference. `nbprobe.timeit.compare` interleaves its
            candidates and has not that fault.
        """
        before = replace(self, label=self.label or "before")
        after = replace(other, label=other.label or "after")
        return Comparison(
            results=(before, after),
            baseline=0,
            ratios=(Ratio(1.0, 1.0, 1.0), independent_ratio(after, before)),
            rounds=0,
            interrupted=False,
        )

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each clean sample: its place in time and its ns per execution."""
        return [
            {"sample": index, "ns": sample}
            for index, sample in enumerate(self.samples_ns)
        ]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Time of a candidate over the time of the baseline.

    Attributes
    ----------
    value : float
        The ratio; below 1 the candidate is faster.
    low, high : float
        Its 95 % interval; 0 and infinity when too few samples tell nothing about it.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Literal["faster", "slower", "same"]:
        """``'same'`` unless the whole interval lies on one side of 1."""
        if self.high < 1:
            return "faster"
        if self.low > 1:
            return "slower"
        return "same"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Result):
    """Several statements, measured in turns, and how their times relate.

    Attributes
    ----------
    results : tuple of TimeitResult
        The candidates, each with its `label`.
    baseline : int
        Index of the candidate that the ratios refer to.
    ratios : tuple of Ratio
        One a candidate; that of the baseline is 1.
    rounds : int
        How often the candidates were run in turn, in random order; 0 when they were
        measured apart.
    interrupted : bool
        Whether an exception or Ctrl-C ended it early.
    processes : tuple of Process
        The engines, where the results are one statement's on each of them.
    """

    kind: ClassVar[str] = "timeit.comparison"

    results: tuple[TimeitResult, ...]
    baseline: int
    ratios: tuple[Ratio, ...]
    rounds: int
    interrupted: bool
    processes: tuple[Process, ...] = ()

    def __post_init__(self) -> None:
        """Refuse ratios and candidates that do not belong together."""
        if len(self.ratios) != len(self.results):
            raise ValueError("there must be one ratio for each result")
        if not 0 <= self.baseline < len(self.results):
            raise ValueError("the baseline must be one of the results")

    def by_process(self) -> dict[str, TimeitResult]:
        """Give the timing of each engine, by its label; none where there are no engines."""
        if not self.processes:
            return {}
        return {result.label: result for result in self.results}

    @property
    def fastest(self) -> TimeitResult | None:
        """The candidate faster than every other beyond noise; None when there is none."""
        order = sorted(
            range(len(self.results)), key=lambda index: self.ratios[index].value
        )
        best, *others = order
        if all(self.ratios[best].high < self.ratios[other].low for other in others):
            return self.results[best]
        return None

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each candidate: its times in ns and its ratio."""
        return [
            {
                "label": result.label,
                "statement": result.statement,
                **_figures(result),
                "ratio": ratio.value,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "verdict": ratio.verdict,
            }
            for result, ratio in zip(self.results, self.ratios, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Fit:
    """A complexity class fitted to times over sizes.

    Attributes
    ----------
    name : str
        The class, such as ``'O(n log n)'``.
    coefficient_ns, offset_ns : float
        ``time = offset_ns + coefficient_ns * f(n)``.
    error : float
        Root mean square of the relative residuals.
    residuals : tuple of float
        One a size: (measured - fitted) / measured.
    """

    name: str
    coefficient_ns: float
    offset_ns: float
    error: float
    residuals: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scaling(Result):
    """One statement over a range of sizes, and the complexity that fits.

    Attributes
    ----------
    name : str
        The variable that was given the sizes.
    values : tuple of float
        The sizes.
    results : tuple of TimeitResult
        One a size.
    fits : tuple of Fit
        The best first; empty with too few sizes.
    exponent, exponent_error : float
        Slope of the log-log line through the times, and its standard error.
    interrupted : bool
        Whether an exception or Ctrl-C ended it early.
    """

    kind: ClassVar[str] = "timeit.scaling"

    name: str
    values: tuple[float, ...]
    results: tuple[TimeitResult, ...]
    fits: tuple[Fit, ...]
    exponent: float
    exponent_error: float
    interrupted: bool

    def __post_init__(self) -> None:
        """Refuse sizes, results and residuals that do not belong together."""
        if not self.results or len(self.values) != len(self.results):
            raise ValueError("there must be one result for each value")
        if any(len(fit.residuals) != len(self.values) for fit in self.fits):
            raise ValueError("a fit must have one residual for each value")

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each size: its times in ns and the best fit's residual."""
        residuals: tuple[float, ...] = (math.nan,) * len(self.values)
        if self.fits:
            residuals = self.fits[0].residuals
        return [
            {
                "name": self.name,
                "value": value,
                **_figures(result),
                "residual": residual,
            }
            for value, result, residual in zip(
                self.values, self.results, residuals, strict=True
            )
        ]


def _figures(result: TimeitResult) -> dict[str, float]:
    low, high = result.ci_ns or (math.nan, math.nan)
    return {"ns": result.estimate_ns, "ns_low": low, "ns_high": high}


def _mean(values: list[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # only with figures that no clock gives
        return math.nan


def independent_ratio(candidate: TimeitResult, baseline: TimeitResult) -> Ratio:
    """Divide two estimates whose errors are independent.

    The errors are added in quadrature on the logarithmic scale, on which those of a ratio
    are symmetrical.
    """
    estimates = candidate.estimate_ns, baseline.estimate_ns
    value = estimates[0] / estimates[1] if estimates[1] else math.nan
    if candidate.ci_ns is None or baseline.ci_ns is None:
        return Ratio(value, 0.0, math.inf)
    bounds = (*candidate.ci_ns, *baseline.ci_ns)
    if not all(0 < figure < math.inf for figure in (*estimates, *bounds)):
        return Ratio(value, 0.0, math.inf)
    (low, high), (base_low, base_high) = candidate.ci_ns, baseline.ci_ns
    down = math.hypot(math.log(estimates[0] / low), math.log(base_high / estimates[1]))
    up = math.hypot(math.log(high / estimates[0]), math.log(estimates[1] / base_low))
    return Ratio(value, value * math.exp(-down), value * math.exp(up))
