"""How what stays allocated is shown."""

from __future__ import annotations

from ..places import place_of
from ..views import units
from ..views.names import one_line
from ..views.tables import Column, Table
from .growth import Growth

__all__ = ["headline", "html", "text"]

_ROWS = 15


def headline(growth: Growth) -> str:
    """Give the difference in one line."""
    blocks = sum(line.blocks for line in growth.lines)
    return f"{units.change(growth.bytes)} in {blocks:+,} blocks stay allocated"


def text(growth: Growth) -> str:
    """Give the lines and the types."""
    tables = [table.text() for table in _tables(growth) if table.rows]
    head = "\n".join([headline(growth), *_warnings(growth)])
    return "\n\n".join([head, *tables])


def _warnings(growth: Growth) -> list[str]:
    if not growth.interrupted:
        return []
    return ["ended early by an exception or Ctrl-C; this is what it left until then"]


def _tables(growth: Growth) -> list[Table]:
    lines = tuple(
        (
            units.change(it.bytes),
            f"{it.blocks:+,}",
            one_line(place_of(it.file, it.line), 40) if it.file else "",
            one_line(it.text, 70),
        )
        for it in growth.lines[:_ROWS]
    )
    kinds = tuple(
        (units.change(it.bytes), f"{it.objects:+,}", one_line(it.type))
        for it in growth.kinds[:_ROWS]
    )
    bytes_ = Column("bytes", "right")
    return [
        Table(
            (
                bytes_,
                Column("blocks", "right"),
                Column("line", code=True),
                Column("code", code=True),
            ),
            lines,
            max(0, len(growth.lines) - _ROWS),
        ),
        Table(
            (bytes_, Column("objects", "right"), Column("type")),
            kinds,
            max(0, len(growth.kinds) - _ROWS),
        ),
    ]


def html(growth: Growth) -> str:
    """Give the lines and the types."""
    from ..views.html import render

    figure, _, unit = units.change(growth.bytes).partition(" ")
    return render(
        "memit/growth.html.j2",
        statement=growth.statement,
        figure=figure,
        unit=unit,
        headline=headline(growth),
        warnings=_warnings(growth),
        tables=[table for table in _tables(growth) if table.rows],
    )
