"""How a timing over a range of sizes is shown."""

from __future__ import annotations

import math

from ..views import charts, units
from ..views.names import clean, one_line
from ..views.notes import Note, aligned, parted
from ..views.tables import ROWS, Column, Table
from .result import Fit, Scaling
from .view_statement import remarks_of

__all__ = ["headline", "html", "text"]


def headline(result: Scaling) -> str:
    """Name the complexity class that fits, and the range it was fitted over."""
    name = one_line(result.name, 30)
    sizes = f"{units.size(min(result.values))} to {units.size(max(result.values))}"
    if not result.fits:
        return f"too few sizes for a fit: {name} from {sizes}"
    return f"{clean(result.fits[0].name)} for {name} from {sizes}"


def text(result: Scaling) -> str:
    """Give the fit and the table of sizes."""
    return "\n".join(
        [
            headline(result),
            *aligned(_scaling_notes(result)),
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
        notes.append(
            Note("partial", "ended early by an exception or Ctrl-C", serious=True)
        )
    sizes = [
        (f"{one_line(result.name, 30)} = {units.size(value)}", timed)
        for value, timed in zip(result.values, result.results, strict=True)
    ]
    return [note for note in [*notes, *remarks_of(sizes)] if note.text]


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


def html(result: Scaling) -> str:
    """Give the fit, the log-log plot and the table of sizes."""
    from ..views.html import render

    serious, notes = parted(_scaling_notes(result))
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
        return {"figure": headline(result), "unit": "", "below": "", "size": "1.5em"}
    best = clean(result.fits[0].name)
    unit = headline(result).removeprefix(best).strip()
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
            (point.x, point.y * (1 - residual))
            for point, residual in zip(points, result.fits[0].residuals, strict=True)
        ]
    name = result.fits[0].name if result.fits else ""
    return charts.log_log(points, fitted, name=result.name, fit=name)
