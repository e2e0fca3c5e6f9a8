"""How a profile of cProfile's kind is shown: as what it is, functions and their callers."""

from __future__ import annotations

import io

from ..views import units
from ..views.names import clean, one_line
from .callgraph import call_graph
from .imported import PairProfile
from .view_tables import function_tables, peeks

__all__ = ["headline", "html", "text"]

_PAIRS = (
    "pairs of caller and function, as cProfile records them: times are as its clock gave"
    " them, cost of recording included; which path led to a call is not known"
)


def headline(result: PairProfile) -> str:
    """Give a profile in one line."""
    return f"{_summary(result)}, {units.seconds(result.total_ns / 1e9)}"


def _summary(result: PairProfile) -> str:
    return (
        f"{units.plural(result.calls, 'call')} of"
        f" {units.plural(len(result.rows()), 'function')}"
    )


def text(result: PairProfile) -> str:
    """Give pstats' table."""
    stats = result.stats()
    if not stats.stats:  # type: ignore[attr-defined]
        return "         0 function calls in 0.000 seconds"
    stream = io.StringIO()
    stats.stream = stream  # type: ignore[attr-defined]
    stats.strip_dirs().sort_stats("tottime").print_stats()
    return f"{clean(stream.getvalue()).rstrip()}\n{_PAIRS}"


def html(result: PairProfile) -> str:
    """Give the figures, the call graph and tables; an icicle would be a guess."""
    from ..views.html import render

    table = result.rows()
    names = {function.label: function.qualname for function in result.functions}
    graph, note = call_graph(table, names)
    seconds, _, unit = units.seconds(result.total_ns / 1e9).partition(" ")
    return render(
        "prun/pairs.html.j2",
        source=one_line(result.source, 200),
        figure=seconds,
        unit=unit,
        summary=_summary(result),
        note=_PAIRS,
        graph=graph,
        graph_note=note,
        tables=function_tables(table, names),
        peeks=peeks(table, names),
    )
