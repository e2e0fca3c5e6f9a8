"""How measurements of memory on several engines are shown."""

from __future__ import annotations

from ..live.balance import Balance
from ..live.processes import describe
from ..views import units
from ..views.drawing import Picture
from ..views.engines import beside_mean
from ..views.names import clean, one_line
from ..views.processes import apart, state_of
from ..views.tables import Column, Table
from .engines import EngineMemory
from .view_measure import where

__all__ = ["headline", "html", "text"]

_LINES = 15


def headline(result: EngineMemory) -> str:
    """Give the highest resident peak, and where it is."""
    _, peaks = result.figures()[0]
    balance = Balance.of(peaks)
    return (
        f"{units.memory(round(balance.maximum))} resident at the most"
        f" ({one_line(balance.most)}), imbalance {balance.imbalance:.0%};"
        f" {units.memory(result.allocated_bytes)} allocated on"
        f" {units.plural(len(result.parts), result.kinds[0])}"
    )


def text(result: EngineMemory) -> str:
    """Give how the figures are spread, each engine, and the lines."""
    lines = [headline(result), "", _figures(result).text()]
    lines += ["", _engines(result).text(), *_warnings(result)]
    table = _lines(result)
    if table.rows:
        lines += ["", table.text()]
    return "\n".join(lines)


def _warnings(result: EngineMemory) -> list[str]:
    warnings = [clean(describe(result.processes))]
    if any(part.interrupted for part in result.parts):
        warnings.append("ended early by an exception or Ctrl-C somewhere")
    return warnings


def _amount(name: str, figure: float) -> str:
    if name == "allocations":
        return f"{round(figure):,}"
    return units.memory(round(figure))


def _figures(result: EngineMemory) -> Table:
    columns = (
        Column(""),
        Column("minimum", "right"),
        Column("median", "right"),
        Column("maximum", "right"),
        Column("imbalance", "right"),
        Column("most in"),
        Column("sum", "right"),
    )
    rows = []
    for name, figures in result.figures():
        balance = Balance.of(figures)
        cells = (balance.minimum, balance.median, balance.maximum)
        rows.append(
            (
                name,
                *(_amount(name, figure) for figure in cells),
                f"{balance.imbalance:.0%}",
                one_line(balance.most),
                _amount(name, sum(figures.values())),
            )
        )
    return Table(columns, tuple(rows))


def _engines(result: EngineMemory) -> Table:
    columns = (
        Column("process"),
        Column("host"),
        Column("pid", "right"),
        *(Column(name, "right") for name, _ in result.figures()),
        Column("the line is the mean"),
        Column("state"),
    )
    figures = result.figures()
    peaks = figures[0][1]
    balance = Balance.of(peaks)
    rows: list[tuple[str | Picture, ...]] = []
    for process in result.processes:
        label = process.label
        cells = [
            _amount(name, found[label]) if label in found else ""
            for name, found in figures
        ]
        rows.append(
            (
                one_line(label),
                one_line(process.host),
                str(process.pid) if process.pid else "",
                *cells,
                beside_mean(peaks.get(label), balance, cells[0]),
                state_of(process),
            )
        )
    return Table.capped(columns, rows, len(rows))


def _lines(result: EngineMemory) -> Table:
    found = result.lines()
    columns = (
        Column("allocated", "right"),
        Column("minimum", "right"),
        Column("median", "right"),
        Column("maximum", "right"),
        Column("imbalance", "right"),
        Column("most in"),
        Column("line", code=True),
        Column("function", code=True),
        Column("code", code=True),
    )
    rows = []
    for place, bytes_, balance in found[:_LINES]:
        cells = (bytes_, balance.minimum, balance.median, balance.maximum)
        rows.append(
            (
                *(units.memory(round(cell)) for cell in cells),
                f"{balance.imbalance:.0%}",
                one_line(balance.most),
                where(place),
                one_line(place.function, 30),
                one_line(place.text, 70),
            )
        )
    return Table(columns, tuple(rows), max(0, len(found) - _LINES))


def html(result: EngineMemory) -> str:
    """Give the highest peak, how the figures are spread, each engine, and the lines."""
    from ..views.html import render

    _, peaks = result.figures()[0]
    figure, _, unit = units.memory(max(peaks.values())).partition(" ")
    seen, warnings = apart(_warnings(result), result.processes)
    return render(
        "memit/engines.html.j2",
        figure=figure,
        unit=unit,
        below=headline(result).partition(" ")[2].partition(" ")[2],
        seen=seen,
        warnings=warnings,
        figures=_figures(result),
        kinds=result.kinds[1].capitalize(),
        engines=_engines(result),
        lines=_lines(result),
        statement=result.statement,
    )
