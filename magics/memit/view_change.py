"""How two measurements of memory are shown beside each other."""

from __future__ import annotations

from ..views import units
from ..views.names import one_line
from ..views.tables import Column, Table
from .result import Change
from .view_measure import where

__all__ = ["headline", "html", "text"]

_LINES = 15


def headline(change: Change) -> str:
    """Give the change in one line."""
    _, before, after = change.figures()[1]
    return f"{_verdict(before, after)} at once: {_arrow(before, after)}"


def _arrow(before: int, after: int) -> str:
    return f"{units.memory(before)} → {units.memory(after)}"


def _verdict(before: int, after: int) -> str:
    if before == after:
        return "as much"
    if before <= 0 or after <= 0:
        return units.change(after - before)
    if after < before:
        return f"{_times(before / after)} less"
    return f"{_times(after / before)} more"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if 1000 <= ratio < 1e9 else f"{ratio:.3g}x"


def text(change: Change) -> str:
    """Give the figures and the lines that changed."""
    lines = [headline(change), "", _figures(change).text()]
    table = _lines(change)
    if table.rows:
        lines += ["", table.text()]
    return "\n".join(lines)


def _figures(change: Change) -> Table:
    rows = []
    for name, before, after in change.figures():
        if name == "allocations":
            grew = after - before
            row = (f"{before:,}", f"{after:,}", f"{grew:+,}" if grew else "0")
        else:
            row = (
                units.memory(before),
                units.memory(after),
                units.change(after - before),
            )
        rows.append((name, *row, _verdict(before, after)))
    columns = (
        Column(""),
        Column("before", "right"),
        Column("now", "right"),
        Column("change", "right"),
        Column(""),
    )
    return Table(columns, tuple(rows))


def _lines(change: Change) -> Table:
    lines = change.lines()
    rows = tuple(
        (
            units.change(after - before),
            units.memory(before),
            units.memory(after),
            where(place),
            one_line(place.function, 30),
            one_line(place.text, 70),
        )
        for place, before, after in lines[:_LINES]
    )
    columns = (
        Column("change", "right"),
        Column("before", "right"),
        Column("now", "right"),
        Column("line", code=True),
        Column("function", code=True),
        Column("code", code=True),
    )
    return Table(columns, rows, max(0, len(lines) - _LINES))


def html(change: Change) -> str:
    """Give the figures and the lines that changed."""
    from ..views.html import render

    _, before, after = change.figures()[1]
    verdict = _verdict(before, after)
    figure, _, unit = verdict.partition(" ")
    return render(
        "memit/change.html.j2",
        figure=figure,
        unit=unit,
        below=f"at once: {_arrow(before, after)}",
        figures=_figures(change),
        lines=_lines(change),
        before=change.before.statement,
        after=change.after.statement,
    )
