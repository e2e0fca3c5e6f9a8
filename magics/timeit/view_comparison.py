"""How a comparison of statements is shown."""

from __future__ import annotations

import math

from ..live.processes import describe
from ..views import charts, units
from ..views.colours import BLUE, GREEN, GREY
from ..views.names import clean, one_line, pad, width
from ..views.notes import Note, aligned, parted
from ..views.processes import balance_line
from ..views.tables import ROWS, Column, Table
from .result import Comparison, Ratio
from .view_statement import remarks_of, stock_line

__all__ = ["headline", "html", "text"]


def headline(result: Comparison) -> str:
    """Say which candidate is the fastest, or that none is."""
    fastest = result.fastest
    if len(result.results) == 1:
        return "a single candidate"
    if fastest is None:
        return "no winner: the fastest differ by no more than noise"
    return f"{one_line(fastest.label)} is the fastest"


def text(result: Comparison) -> str:
    """Give one line a candidate as the built-in does, and the table of their ratios."""
    shown = result.results[:ROWS]
    names = [one_line(candidate.label) for candidate in shown]
    columns = max(width(name) for name in names)
    lines = [
        f"{pad(name, columns)}  {stock_line(candidate)}"
        for name, candidate in zip(names, shown, strict=True)
    ]
    return "\n".join(
        [
            *lines,
            "",
            _ratio_table(result).text(),
            "",
            headline(result),
            *aligned(_comparison_notes(result)),
        ]
    )


def _ratio_table(result: Comparison) -> Table:
    baseline = one_line(result.results[result.baseline].label)
    columns = (
        Column("candidate", code=True),
        Column(""),
        Column("time", "right"),
        Column("95 % interval"),
        Column(f"against {baseline if len(baseline) <= 20 else 'the baseline'}"),
    )
    limit = _longest(result)
    rows = [
        (
            one_line(candidate.label, 36),
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
    if result.processes:
        notes[:1] = _engine_notes(result)
    if result.interrupted:
        notes.append(
            Note("partial", "ended early by an exception or Ctrl-C", serious=True)
        )
    return notes + remarks_of(
        [(one_line(candidate.label, 30), candidate) for candidate in result.results]
    )


def _engine_notes(result: Comparison) -> list[Note]:
    times = {each.label: each.estimate_ns for each in result.results}
    is_whole = len(times) == len(result.processes)
    return [
        Note("method", "on all engines at the same time"),
        Note("spread", balance_line("one execution", times) or "a single engine"),
        Note("engines", clean(describe(result.processes)), serious=not is_whole),
    ]


def html(result: Comparison) -> str:
    """Give the deciding ratio, bars with intervals, and how it was measured."""
    from ..views.html import render

    serious, notes = parted(_comparison_notes(result))
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
        return {"figure": headline(result), "unit": "", "below": ""}
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
