"""The call graph: functions as boxes, calls as arrows, of what matters only."""

from __future__ import annotations

from collections.abc import Mapping

from ..views import units
from ..views.names import one_line, shorten
from ..views.network import Edge, Network, network
from .pairs import Label, LabelRow, Pair
from .view_tables import share, short, where

__all__ = ["call_graph"]

_NODES = 24
_EDGES = 48
# Shares of the whole below which a function or a call is not drawn.
_LEAST_NODE = 0.005
_LEAST_EDGE = 0.002

_FONT = "Helvetica"
_CANVAS = {
    "rankdir": "TB",
    "ranksep": "0.35",
    "nodesep": "0.2",
    "bgcolor": "transparent",
    "fontname": _FONT,
}


def call_graph(
    table: Mapping[Label, LabelRow], names: Mapping[Label, str]
) -> tuple[Network | None, str]:
    """Draw the functions that take most time, and the calls between them.

    Parameters
    ----------
    table : mapping
        Functions with their callers.
    names : mapping
        What each is called.

    Returns
    -------
    network : Network or None
        None when there is nothing to draw, or no Graphviz.
    note : str
        What was left out, summed up; or why there is no picture.
    """
    total = sum(row.self_ns for row in table.values())
    if len(table) < 2 or not total > 0:
        return None, ""
    order = sorted(table, key=lambda label: (-table[label].total_ns, label))
    drawn = [label for label in order if table[label].total_ns >= _LEAST_NODE * total][
        :_NODES
    ]
    places = {label: place for place, label in enumerate(drawn)}
    calls = [
        (caller, label, pair)
        for label in drawn
        for caller, pair in table[label].callers.items()
        if caller in places and pair.total_ns >= _LEAST_EDGE * total
    ]
    calls.sort(key=lambda call: -call[2].total_ns)
    edges: list[Edge] = [
        (places[caller], places[label], _arrow(pair, total))
        for caller, label, pair in calls[:_EDGES]
    ]
    nodes = [_box(label, names[label], table[label], total) for label in drawn]
    first = ", ".join(
        f"{short(names[label])} {share(table[label].self_ns, total)}"
        for label in sorted(drawn, key=lambda label: -table[label].self_ns)[:3]
    )
    found = network(nodes, edges, _CANVAS, alt=f"Call graph; most own time: {first}")
    if found is None:
        return (
            None,
            "no call graph: Graphviz does not work here; the tables say the same",
        )
    return found, _left_out(table, drawn[: found.nodes], found.edges)


def _left_out(table: Mapping[Label, LabelRow], drawn: list[Label], edges: int) -> str:
    """Sum up what the picture does not show."""
    total = sum(row.self_ns for row in table.values())
    missing = [row for label, row in table.items() if label not in set(drawn)]
    pairs = sum(len(row.callers) for row in table.values())
    parts = []
    if missing:
        own = sum(row.self_ns for row in missing)
        parts.append(
            f"{units.plural(len(missing), 'function')} with {share(own, total)} of the"
            f" time, in {units.plural(sum(row.calls for row in missing), 'call')}"
        )
    if pairs > edges:
        parts.append(units.plural(pairs - edges, "arrow"))
    return f"not drawn: {' and '.join(parts)}" if parts else ""


def _box(label: Label, name: str, row: LabelRow, total: float) -> dict[str, str]:
    """Make a box: as large as its share with callees, as dark as its own share."""
    file, line, _ = label
    own, whole = row.self_ns / total, min(row.total_ns / total, 1.0)
    title = shorten(one_line(short(name)), 28)
    lines = [title]
    if file != "~":
        lines.append(shorten(where(file, line).text, 28))
    lines.append(f"{share(row.total_ns, total)} (own {share(row.self_ns, total)})")
    lines.append(_counted(row))
    size = 8 + 4 * whole**0.5
    resumed = f", {units.plural(row.resumes, 'resumption')}" if row.resumes else ""
    return {
        "label": "\n".join(lines),
        "tooltip": (
            f"{short(name)}: {units.seconds(row.total_ns / 1e9)}, own"
            f" {units.seconds(row.self_ns / 1e9)}, {units.plural(row.calls, 'call')}"
            f"{resumed}; {file}:{line}"
        ),
        "shape": "box",
        "style": "filled,rounded",
        "fontname": _FONT,
        "fontsize": f"{size:.1f}",
        "margin": f"{0.05 + 0.06 * whole**0.5:.2f},{0.02 + 0.04 * whole**0.5:.2f}",
        "fillcolor": _fill(own),
        "color": "#7a7a7a",
        "fontcolor": "#ffffff" if own >= 0.5 else "#1a1a1a",
    }


def _counted(pair: Pair) -> str:
    """Give the calls, or of a generator that others have called its resumptions."""
    if pair.resumes and not pair.calls:
        return f"{pair.resumes:,}x resumed"
    return f"{pair.calls:,}x"


def _fill(own: float) -> str:
    """Give a colour from pale to deep orange; it carries its text on any page."""
    depth = min(own, 1.0) ** 0.6
    pale, deep = (0xF4, 0xEC, 0xE2), (0xB0, 0x43, 0x0A)
    mixed = (round(a + (b - a) * depth) for a, b in zip(pale, deep, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _arrow(pair: Pair, total: float) -> dict[str, str]:
    weight = min(pair.total_ns / total, 1.0)
    return {
        "label": f" {_counted(pair)}\n {share(pair.total_ns, total)}",
        "fontname": _FONT,
        "fontsize": "8",
        "fontcolor": "#7a7a7a",
        "color": "#7a7a7a",
        "penwidth": f"{0.6 + 3.4 * weight:.2f}",
        "arrowsize": f"{0.5 + 0.5 * weight:.2f}",
    }
