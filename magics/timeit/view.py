"""How a timing is shown, as text and as HTML, both from the same lines."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Result
from ..views import charts, units
from ..views.colours import BLUE, GREEN, GREY
from ..views.names import clean, one_line, pad, width
from ..views.tables import ROWS, Column, Table
from .result import Comparison, Fit, Ratio, Scaling, TimeitResult

__all__ = ["headline", "html", "text"]


@dataclass(frozen=True, slots=True)
class Note:
    """One line below the figure: what about, and what."""

    name: str
    text: str


def headline(result: Result) -> str:
    """Give a result in one line."""
    return _views(result)[0](result)


def text(result: Result) -> str:
    """Give a result as text that is complete without the HTML, without a final newline."""
    return _views(result)[1](result)


def html(result: Result) -> str:
    """Give a result as HTML that an untrusted notebook shows whole."""
    return _views(result)[2](result)


def _views(result: Result) -> tuple[Callable[[Any], str], ...]:
    views: dict[type[Result], tuple[Callable[[Any], str], ...]] = {
        TimeitResult: (_stock_line, _timeit_text, _timeit_html),
        Comparison: (_verdict, _comparison_text, _comparison_html),
        Scaling: (_complexity, _scaling_text, _scaling_html),
    }
    return views[type(result)]


# One statement


def _stock_line(result: TimeitResult) -> str:
    """Give the line that the built-in prints, its ``mean`` being our statistic."""
    figure = units.seconds(result.per_loop, result.precision)
    deviation = units.seconds(result.stdev, result.precision)
    return (
        f"{figure} ± {deviation} per loop ({result.statistic} ± std. dev. of"
        f" {units.plural(result.repeat, 'run')}, {units.plural(result.loops, 'loop')} each)"
    )


def _timeit_text(result: TimeitResult) -> str:
    lines = [_stock_line(result)]
    if cached := _cached(result):
        lines.insert(0, cached)
    if compiler := _compiler_time(result):
        lines.append(compiler)
    serious, notes = _parted(_remarks(result))
    if result.method != "stock":
        notes = [Note("95 % interval", _interval(result)), *_facts(result), *notes]
    notes = [*serious, *notes]
    return "\n".join([*lines, *_aligned(notes)])


def _parted(notes: Sequence[Note]) -> tuple[list[Note], list[Note]]:
    """Part what changes the meaning of the figure, and stands next to it, from the rest."""
    serious = [note for note in notes if note.name in ("empty", "partial")]
    return serious, [note for note in notes if note not in serious]


def _aligned(notes: Sequence[Note]) -> list[str]:
    notes = [note for note in notes if note.text]
    columns = max((width(note.name) for note in notes), default=0)
    return [f"{pad(note.name, columns)}  {clean(note.text)}" for note in notes]


def _cached(result: TimeitResult) -> str:
    """Warn of runs that differ much, under the built-in's condition and in its words."""
    best, worst = result.best, result.worst
    if not (worst > 4 * best and best > 0 and worst > 1e-6):
        return ""
    return (
        f"The slowest run took {worst / best:0.2f} times longer than the fastest. This"
        " could mean that an intermediate result is being cached."
    )


def _compiler_time(result: TimeitResult) -> str:
    if result.compile_time <= 0.1:
        return ""
    return f"Compiler time: {result.compile_time:.2f} s"


def _interval(result: TimeitResult) -> str:
    """Give the 95 % interval and what share of the figure it reaches to either side."""
    if result.ci is None:
        return ""
    text = units.interval(*result.ci, result.precision)
    error = result.relative_error
    if error is not None and math.isfinite(error):
        text += f" (±{units.percent(error)})"
    return text


def _facts(result: TimeitResult) -> list[Note]:
    """Say what the figure rests on, whatever it is."""
    return [
        Note("quartiles", _quartiles(result)),
        Note("samples", _samples(result)),
        Note("executions", _executions(result)),
        Note("method", _method(result)),
    ]


def _quartiles(result: TimeitResult) -> str:
    if len(result.samples_ns) < 3:
        return ""
    quartiles = [quartile / 1e9 for quartile in result.quartiles_ns]
    low, high = min(result.samples_ns) / 1e9, max(result.samples_ns) / 1e9
    return (
        f"{units.together(quartiles, result.precision)},"
        f" range {units.interval(low, high, result.precision)}"
    )


def _samples(result: TimeitResult) -> str:
    text = f"{units.count(len(result.samples_ns))} kept"
    mild, severe = result.outliers
    if mild + severe:
        text += f" ({units.plural(mild + severe, 'outlier')}, {severe:,} severe)"
    dropped = []
    if result.preempted:
        dropped.append(f"{units.count(result.preempted)} preempted")
    if result.warmup:
        dropped.append(f"{units.count(result.warmup)} warming up")
    if dropped:
        text += f"; dropped: {', '.join(dropped)}"
    return text


def _executions(result: TimeitResult) -> str:
    if result.executions == 1:
        text = "the statement ran once in all"
    else:
        text = f"the statement ran {units.count(result.executions)} times in all"
    if result.method == "each":
        text += f", the setup {units.count(result.setups)}"
    return text


def _method(result: TimeitResult) -> str:
    overhead = ""
    if result.overhead_ns is not None:
        overhead = f" ({units.seconds(result.overhead_ns / 1e9, 2)})"
    few, many = result.unroll
    return {
        "slope": f"loop overhead{overhead} cancelled between {few} and {many} copies",
        "loop": f"one copy in the loop, whose overhead{overhead} is too small to matter",
        "each": f"each execution timed alone after a fresh setup, clock{overhead} cancelled",
        "stock": "runs and loops as the built-in, loop overhead included",
        "once": "longer than the budget, hence executed once",
    }[result.method]


def _remarks(result: TimeitResult) -> list[Note]:
    """Say what is out of the ordinary, or was asked for."""
    notes = [
        Note(one_line(name, 30), _per_execution(value))
        for name, value in result.counters.items()
    ]
    if result.counters_note:
        notes.append(Note("counters", result.counters_note))
    if result.gc_enabled:
        notes.append(Note("collector", _collector(result)))
    if waiting := _waiting(result):
        notes.append(Note("CPU", waiting))
    if result.empty:
        notes.append(Note("empty", _nothing(result)))
    if result.interrupted:
        notes.append(Note("partial", _partial(result)))
    return notes


def _per_execution(value: float) -> str:
    if not math.isfinite(value):
        return f"{value}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _collector(result: TimeitResult) -> str:
    text = f"on: {units.plural(result.gc_collections, 'collection')} inside samples"
    if result.gc_collections and result.measured_ns > 0:
        text += f", {units.percent(result.gc_ns / result.measured_ns)} of the time"
    return text


def _waiting(result: TimeitResult) -> str:
    share = result.cpu_share
    if share is None or not math.isfinite(share) or 0.9 <= share <= 1.1:
        return ""
    if share > 1:
        return f"busy {share:.1f} times the wall time: it runs in several threads"
    if result.method == "stock":
        return f"busy {units.percent(share)} of the time: it waits, or other tasks ran"
    return f"busy {units.percent(share)} of the time: the statement waits"


def _nothing(result: TimeitResult) -> str:
    """Say why no code was left of the statement, as far as its source tells."""
    text = "the statement compiled to nothing: "
    try:
        body = ast.parse(result.statement).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text + "what is left of it has no effect"
    if any(_is_text(node) for node in body):
        return text + "a quoted statement is just a string; give it without the quotes"
    if any(isinstance(node, ast.Expr) for node in body):
        return text + "Python folds constants; assign them to names in the setup"
    return text + "there is no code in it to run"


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str | bytes)
    )


def _partial(result: TimeitResult) -> str:
    number = units.plural(len(result.samples_ns), "sample")
    return f"ended early by an exception or Ctrl-C; this rests on {number}"


def _timeit_html(result: TimeitResult) -> str:
    from ..views.html import render

    samples = [sample / 1e9 for sample in result.samples_ns]
    q1, median, q3 = (quartile / 1e9 for quartile in result.quartiles_ns)
    serious, notes = _parted(_remarks(result))
    warnings = [note.text for note in serious]
    if cached := _cached(result):
        warnings.append(cached)
    if result.compile_time > 0.1:
        notes.append(Note("compiler", f"{result.compile_time:.2f} s"))
    interval = _interval(result)
    return render(
        "timeit/result.html.j2",
        result=result,
        figure=units.seconds(result.per_loop, result.precision),
        unit="per loop" + f" ({result.statistic})" * (len(samples) > 1),
        interval=interval and f"95 % interval {interval}",
        warnings=warnings,
        histogram=charts.histogram(samples, (q1, median, q3), interval=result.ci),
        notes=[note for note in [*_facts(result), *notes] if note.text],
        details=_details(result),
        drift=charts.sparkline(samples, alt="Samples in order of time"),
    )


def _details(result: TimeitResult) -> list[Note]:
    clock = {"wall": "monotonic wall time", "real": "time of day", "cpu": "CPU time"}
    resolution = units.seconds(result.clock_resolution_ns / 1e9)
    return [
        Note("as %timeit says", _stock_line(result)),
        Note("measured for", units.seconds(result.measured_ns / 1e9)),
        Note(
            "clock", f"{clock.get(result.clock, result.clock)}, resolution {resolution}"
        ),
        Note("compiled in", units.seconds(result.compile_time)),
        Note("collector", "on" if result.gc_enabled else "off while measuring"),
        Note("Python", result.python),
        Note("when", result.created),
    ]


# Several statements


def _verdict(result: Comparison) -> str:
    fastest = result.fastest
    if len(result.results) == 1:
        return "a single candidate"
    if fastest is None:
        return "no winner: the fastest differ by no more than noise"
    return f"{one_line(fastest.label)} is the fastest"


def _comparison_text(result: Comparison) -> str:
    shown = result.results[:ROWS]
    names = [one_line(candidate.label) for candidate in shown]
    columns = max(width(name) for name in names)
    lines = [
        f"{pad(name, columns)}  {_stock_line(candidate)}"
        for name, candidate in zip(names, shown, strict=True)
    ]
    return "\n".join(
        [
            *lines,
            "",
            _ratio_table(result).text(),
            "",
            _verdict(result),
            *_aligned(_comparison_notes(result)),
        ]
    )


def _ratio_table(result: Comparison) -> Table:
    columns = (
        Column("candidate", code=True),
        Column(""),
        Column("time", "right"),
        Column("95 % interval"),
        Column(f"against {one_line(result.results[result.baseline].label, 30)}"),
    )
    limit = _longest(result)
    rows = [
        (
            one_line(candidate.label),
            _bar(result, index, limit),
            units.seconds(candidate.per_loop, candidate.precision),
            "" if candidate.ci is None else units.interval(*candidate.ci),
            "baseline" if index == result.baseline else _ratio(ratio),
        )
        for index, (candidate, ratio) in enumerate(
            zip(result.results[:ROWS], result.ratios[:ROWS], strict=True)
        )
    ]
    return Table.capped(columns, rows, len(result.results))


def _longest(result: Comparison) -> float:
    ends = [
        end
        for candidate in result.results
        for end in (candidate.estimate_ns, *(candidate.ci_ns or ()))
        if math.isfinite(end)
    ]
    return max(ends, default=0.0)


def _bar(result: Comparison, index: int, limit: float) -> charts.Picture:
    candidate = result.results[index]
    colour = BLUE
    if candidate is result.fastest:
        colour = GREEN
    elif index == result.baseline:
        colour = GREY
    figure = candidate.estimate_ns
    return charts.interval_bar(
        figure, *(candidate.ci_ns or (figure, figure)), limit, colour=colour
    )


def _ratio(ratio: Ratio) -> str:
    return units.ratio(ratio.value, ratio.low, ratio.high)


def _comparison_notes(result: Comparison) -> list[Note]:
    how = "measured apart: what changed on the machine in between is in the ratio"
    if result.rounds:
        how = f"in turns of random order, {units.plural(result.rounds, 'round')}"
    total = sum(candidate.executions for candidate in result.results)
    notes = [
        Note("method", how),
        Note("executions", f"the statements ran {units.count(total)} times in all"),
    ]
    if result.interrupted:
        notes.append(Note("partial", "ended early by an exception or Ctrl-C"))
    return notes + _remarks_of(
        [(one_line(candidate.label, 30), candidate) for candidate in result.results]
    )


def _remarks_of(named: Sequence[tuple[str, TimeitResult]]) -> list[Note]:
    """Say what is out of the ordinary with any of several results."""
    notes = [
        Note(name, f"{note.name}: {note.text}")
        for name, result in named
        for note in _remarks(result)
    ]
    if len(notes) > ROWS:
        more = Note("", f"and {len(notes) - ROWS:,} more remarks")
        notes = [*notes[:ROWS], more]
    return notes


def _comparison_html(result: Comparison) -> str:
    from ..views.html import render

    serious, notes = _parted(_comparison_notes(result))
    return render(
        "timeit/comparison.html.j2",
        **_comparison_figure(result),
        warnings=[note.text for note in serious],
        table=_ratio_table(result),
        notes=notes,
        details=_candidate_table(result),
    )


def _comparison_figure(result: Comparison) -> dict[str, str]:
    """Choose what to write largest: the ratio that decides, or that none does."""
    fastest, baseline = result.fastest, result.results[result.baseline]
    others = [
        (candidate, ratio)
        for candidate, ratio in zip(result.results, result.ratios, strict=True)
        if candidate is not baseline
    ]
    if fastest is not None and fastest is not baseline:
        others = [pair for pair in others if pair[0] is fastest]
    elif len(others) != 1:
        return {"figure": _verdict(result), "unit": "", "below": ""}
    ((candidate, ratio),) = others
    against = f"{one_line(candidate.label, 40)} against {one_line(baseline.label, 40)}"
    return {"figure": _ratio(ratio), "unit": "", "below": against}


def _candidate_table(result: Comparison) -> Table:
    columns = (
        Column("candidate", code=True),
        Column("std. dev.", "right"),
        Column("runs", "right"),
        Column("loops", "right"),
        Column("samples", "right"),
        Column("preempted", "right"),
        Column("warm-up", "right"),
        Column("executions", "right"),
    )
    rows = [
        (
            one_line(candidate.label),
            units.seconds(candidate.stdev, candidate.precision),
            units.count(candidate.repeat),
            units.count(candidate.loops),
            units.count(len(candidate.samples_ns)),
            units.count(candidate.preempted),
            units.count(candidate.warmup),
            units.count(candidate.executions),
        )
        for candidate in result.results[:ROWS]
    ]
    return Table.capped(columns, rows, len(result.results))


# A range of sizes


def _complexity(result: Scaling) -> str:
    name = one_line(result.name, 30)
    sizes = f"{units.size(min(result.values))} to {units.size(max(result.values))}"
    if not result.fits:
        return f"too few sizes for a fit: {name} from {sizes}"
    return f"{clean(result.fits[0].name)} for {name} from {sizes}"


def _scaling_text(result: Scaling) -> str:
    return "\n".join(
        [
            _complexity(result),
            *_aligned(_scaling_notes(result)),
            "",
            _sizes(result).text(),
        ]
    )


def _sizes(result: Scaling) -> Table:
    columns = (
        Column(one_line(result.name, 30), "right"),
        Column("time", "right"),
        Column("95 % interval", "right"),
        Column("off the fit", "right"),
    )
    residuals: tuple[float, ...] = (math.nan,) * len(result.values)
    if result.fits:
        residuals = result.fits[0].residuals
    rows = [
        (
            units.size(value),
            units.seconds(timed.per_loop, timed.precision),
            "" if timed.ci is None else units.interval(*timed.ci),
            "" if math.isnan(residual) else f"{residual * 100:+.1f} %",
        )
        for value, timed, residual in zip(
            result.values[:ROWS], result.results[:ROWS], residuals[:ROWS], strict=True
        )
    ]
    return Table.capped(columns, rows, len(result.values))


def _scaling_notes(result: Scaling) -> list[Note]:
    notes = []
    if result.fits:
        best, *others = result.fits
        notes.append(Note("fit", _formula(best)))
        also = ", ".join(f"{fit.name} {units.percent(fit.error)}" for fit in others[:3])
        notes.append(Note("next best", also and f"{also} off (root mean square)"))
    if math.isfinite(result.exponent):
        notes.append(Note("exponent", _exponent(result)))
    total = sum(timed.executions for timed in result.results)
    notes.append(
        Note("executions", f"the statement ran {units.count(total)} times in all")
    )
    if result.interrupted:
        notes.append(Note("partial", "ended early by an exception or Ctrl-C"))
    sizes = [
        (f"{one_line(result.name, 30)} = {units.size(value)}", timed)
        for value, timed in zip(result.values, result.results, strict=True)
    ]
    return [note for note in [*notes, *_remarks_of(sizes)] if note.text]


def _formula(fit: Fit) -> str:
    growth = fit.name.removeprefix("O(").removesuffix(")")
    coefficient = units.seconds(fit.coefficient_ns / 1e9)
    text = f"{coefficient} · {growth}" if growth != "1" else coefficient
    if fit.offset_ns:
        text += f" + {units.seconds(fit.offset_ns / 1e9)}"
    return f"{clean(text)}, {units.percent(fit.error)} off (root mean square)"


def _exponent(result: Scaling) -> str:
    text = f"time grows as {one_line(result.name, 30)}^{result.exponent:.2f}"
    if math.isfinite(result.exponent_error):
        text += f" ± {result.exponent_error:.2f}"
    return f"{text} (slope of the log-log line)"


def _scaling_html(result: Scaling) -> str:
    from ..views.html import render

    serious, notes = _parted(_scaling_notes(result))
    return render(
        "timeit/scaling.html.j2",
        statement=result.results[0].statement,
        **_scaling_figure(result),
        warnings=[note.text for note in serious],
        chart=_log_log(result),
        notes=[note for note in notes if note.name != "fit"],
        table=_sizes(result),
    )


def _scaling_figure(result: Scaling) -> dict[str, str]:
    if not result.fits:
        return {"figure": _complexity(result), "unit": "", "below": "", "size": "1.5em"}
    best = clean(result.fits[0].name)
    unit = _complexity(result).removeprefix(best).strip()
    return {
        "figure": best,
        "unit": unit,
        "below": _formula(result.fits[0]),
        "size": "2.6em",
    }


def _log_log(result: Scaling) -> charts.Picture | None:
    points = [
        charts.Point(value, timed.per_loop, *(timed.ci or (math.nan, math.nan)))
        for value, timed in zip(result.values, result.results, strict=True)
    ]
    fitted = []
    if result.fits:
        # By the definition of a residual; so the class's formula stays with the fitting.
        fitted = [
            (point.x, point.y / (1 + residual))
            for point, residual in zip(points, result.fits[0].residuals, strict=True)
            if residual > -1
        ]
    name = result.fits[0].name if result.fits else ""
    return charts.log_log(points, fitted, name=result.name, fit=name)
