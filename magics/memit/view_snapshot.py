"""How a snapshot of what is alive is shown."""

from __future__ import annotations

from ..views import units
from ..views.names import one_line
from ..views.tables import Column, Table
from .snapshots import Snapshot
from .view_measure import flames

__all__ = ["headline", "html", "text"]

_ROWS = 20


def headline(snapshot: Snapshot) -> str:
    """Give the snapshot in one line."""
    return f"{units.memory(snapshot.alive_bytes)} alive, from {len(snapshot.sites):,} places"


def text(snapshot: Snapshot) -> str:
    """Give the lines that hold most."""
    return f"{headline(snapshot)}\n\n{_table(snapshot).text()}"


def _table(snapshot: Snapshot) -> Table:
    found = snapshot.statistics("lineno")
    rows = tuple(
        (
            units.memory(it.size),
            f"{it.count:,}",
            one_line(str(it.traceback[-1]), 60),
        )
        for it in found[:_ROWS]
    )
    columns = (
        Column("bytes", "right"),
        Column("blocks", "right"),
        Column("line", code=True),
    )
    return Table(columns, rows, max(0, len(found) - _ROWS))


def html(snapshot: Snapshot) -> str:
    """Give the lines that hold most, and icicles of who allocated it."""
    from ..views.html import render

    figure, _, unit = units.memory(snapshot.alive_bytes).partition(" ")
    return render(
        "memit/snapshot.html.j2",
        figure=figure,
        unit=unit,
        headline=headline(snapshot),
        table=_table(snapshot),
        flames=flames(snapshot.places, snapshot.sites),
    )
