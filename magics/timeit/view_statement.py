"""How the timing of one statement is shown."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence

from ..views import charts, units
from ..views.names import one_line
from ..views.notes import Note, aligned, parted
from ..views.tables import ROWS
from .result import TimeitResult

__all__ = ["headline", "html", "remarks", "remarks_of", "stock_line", "text"]


def stock_line(result: TimeitResult) -> str:
    """Give the line that the built-in prints, its ``mean`` being our statistic."""
    figure = units.seconds(result.per_loop, result.precision)
    deviation = units.seconds(result.stdev, result.precision)
    return (
        f"{figure} ± {deviation} per loop ({result.statistic} ± std. dev. of"
        f" {units.plural(result.repeat, 'run')}, {units.plural(result.loops, 'loop')} each)"
    )


headline = stock_line


def text(result: TimeitResult) -> str:
    """Give the built-in's line, and below it what it rests on."""
    lines = [stock_line(result)]
    if cached := _cached(result):
        lines.insert(0, cached)
    if compiler := _compiler_time(result):
        lines.append(compiler)
    serious, notes = parted(remarks(result))
    if result.method != "stock":
        notes = [Note("95 % interval", _interval(result)), *_facts(result), *notes]
    notes = [*serious, *notes]
    return "\n".join([*lines, *aligned(notes)])


def _cached(result: TimeitResult) -> str:
    """Warn of runs that differ much, under the built-in's condition and in its words.

    Only for the built-in's way of measuring: otherwise the first execution is known by
    itself, and what disturbed a run is dropped.
    """
    if result.method != "stock":
        return ""
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
        Note("memory", _memory(result)),
        Note("method", _method(result)),
    ]


def _quartiles(result: TimeitResult) -> str:
    if len(result.samples_ns) < 3 or result.empty:
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
    if result.disturbed:
        dropped.append(f"{units.count(result.disturbed)} disturbed")
    if result.warmup:
        dropped.append(f"{units.count(result.warmup)} warming up")
    if dropped:
        text += f"; dropped: {', '.join(dropped)}"
    return text if text != "1 kept" else ""


def _executions(result: TimeitResult) -> str:
    if result.executions == 1:
        text = "the statement ran once in all"
    else:
        text = f"the statement ran {units.count(result.executions)} times in all"
    if result.method == "each":
        text += f", the setup {units.count(result.setups)}"
    return text


def _memory(result: TimeitResult) -> str:
    """Say what one execution allocates, and the collector's share if it has one."""
    if result.allocations is None or result.allocated_bytes is None:
        return ""
    if result.allocations < 0.005:
        text = "no allocations"
    else:
        exact = abs(result.allocations - round(result.allocations)) < 0.005
        blocks = round(result.allocations)
        number = (
            units.plural(blocks, "allocation")
            if exact
            else f"{result.allocations:,.2f} allocations"
        )
        text = f"{number}, {units.memory(result.allocated_bytes)}"
    if result.gc_share is not None and result.gc_share >= 0.001:
        text += (
            f"; the collector, when on, takes {units.percent(result.gc_share)}"
            " of the time"
        )
    return text


def _method(result: TimeitResult) -> str:
    overhead = ""
    if result.overhead_ns is not None:
        overhead = f" ({units.seconds(result.overhead_ns / 1e9)})"
    few, many = result.unroll
    return {
        "slope": f"loop overhead{overhead} cancelled between {few} and {many} copies",
        "loop": f"one copy in the loop, whose overhead{overhead} is too small to matter",
        "each": f"each execution timed alone after a fresh setup, clock{overhead} cancelled",
        "stock": "runs and loops as the built-in, loop overhead included",
        "once": "longer than the budget, hence executed once",
    }[result.method]


def remarks(result: TimeitResult) -> list[Note]:
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
    if _is_first_slow(result):
        notes.append(Note("first", _first(result)))
    if result.empty:
        notes.append(Note("empty", _nothing(result), serious=True))
    if result.interrupted:
        notes.append(Note("partial", _partial(result), serious=True))
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


def _is_first_slow(result: TimeitResult) -> bool:
    """Whether the first execution was slow beyond what cold caches explain."""
    return (
        result.method in ("slope", "loop")
        and result.first_ns > 100_000
        and result.first_ns > 10 * result.estimate_ns > 0
    )


def _first(result: TimeitResult) -> str:
    took = units.seconds(result.first_ns / 1e9)
    return (
        f"the first execution took {took}, {result.first_ns / result.estimate_ns:,.0f}"
        " times longer: a result may be cached"
    )


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


def html(result: TimeitResult) -> str:
    """Give the figure and its interval, the histogram, and what they rest on."""
    from ..views.html import render

    samples = [sample / 1e9 for sample in result.samples_ns]
    q1, median, q3 = (quartile / 1e9 for quartile in result.quartiles_ns)
    serious, notes = parted(remarks(result))
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
        histogram=""
        if result.empty
        else charts.histogram(samples, (q1, median, q3), interval=result.ci),
        notes=[note for note in [*_facts(result), *notes] if note.text],
        details=_details(result),
        drift=charts.sparkline(samples, alt="Samples in order of time"),
    )


def _details(result: TimeitResult) -> list[Note]:
    clock = {
        "wall": "monotonic wall time",
        "real": "time of day",
        "cpu": "CPU time of the process",
    }
    resolution = units.seconds(result.clock_resolution_ns / 1e9)
    return [
        Note("as %timeit says", stock_line(result)),
        Note("measured for", units.seconds(result.measured_ns / 1e9)),
        Note(
            "clock", f"{clock.get(result.clock, result.clock)}, resolution {resolution}"
        ),
        Note("first execution", units.seconds(result.first_ns / 1e9)),
        Note("compiled in", units.seconds(result.compile_time)),
        Note("collector", "on" if result.gc_enabled else "off while measuring"),
        Note("Python", result.python),
        Note("when", result.created),
    ]


def remarks_of(named: Sequence[tuple[str, TimeitResult]]) -> list[Note]:
    """Say what is out of the ordinary with any of several results."""
    notes = [
        Note(name, f"{note.name}: {note.text}")
        for name, result in named
        for note in remarks(result)
    ]
    if len(notes) > ROWS:
        more = Note("", f"and {len(notes) - ROWS:,} more remarks")
        notes = [*notes[:ROWS], more]
    return notes
