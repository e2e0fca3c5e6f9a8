"""How a profile is shown: pstats' table as text; figures, pictures and tables as HTML."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..live.processes import describe
from ..views import units
from ..views.icicle import Block, Icicle, icicle
from ..views.names import clean, one_line
from ..views.network import Network
from ..views.notes import Note
from ..views.processes import ChildrenView, apart
from . import view_engines, view_sampled
from .callgraph import call_graph
from .pairs import Label, rows
from .result import Function, ProfileResult, Thread
from .selection import matching
from .view_tables import (
    Peek,
    Titled,
    allocation_table,
    function_tables,
    peeks,
    share,
    short,
)

__all__ = ["headline", "html", "report", "text"]

_THREADS = 8


def headline(result: ProfileResult) -> str:
    """Give a profile in one line."""
    return _summary(result) + f", {units.seconds(result.total_ns / 1e9)}"


def _summary(result: ProfileResult) -> str:
    shown = result.selected()
    if result.sampling is not None:
        return view_sampled.summary(shown, result.sampling)
    functions = {place for thread in shown.threads for place in thread.function}
    return (
        f"{units.plural(shown.calls, 'call')} of"
        f" {units.plural(len(functions), 'function')} in"
        f" {units.plural(len(shown.threads), 'thread')}"
    )


def _subtracted(result: ProfileResult) -> str:
    if result.overhead_ns <= 0:
        return ""
    return f"; {units.seconds(result.overhead_ns / 1e9)} of recording subtracted"


def text(result: ProfileResult) -> str:
    """Give pstats' table, and what is out of the ordinary below it."""
    lines = []
    if result.by_thread:
        for part in _by_thread(result.selected()):
            lines += [f"Thread {one_line(part.threads[0].label)}", ""]
            lines += [report(part, result.sort, result.limits), ""]
        del lines[-1:]
    if not lines:
        lines = [report(result, result.sort, result.limits)]
    shown = result.selected()
    if shown.memory:
        table = allocation_table(rows(shown), names_of(shown.functions))
        lines += ["", table.title, table.table.text()]
    lines += [*view_engines.lines(result), *_warnings(result)]
    if children := _children(result):
        lines += ["", *children.lines()]
    return "\n".join(lines)


def _by_thread(result: ProfileResult) -> Iterator[ProfileResult]:
    """Give each thread as a profile of its own, the busiest first."""
    for thread in sorted(result.threads, key=lambda thread: -thread.total_ns):
        yield replace(result, threads=(thread,))


def report(
    result: ProfileResult, sort: Sequence[str] = (), limits: Sequence[str] = ()
) -> str:
    """Give pstats' table as the built-in ``%prun`` does.

    Parameters
    ----------
    sort : sequence of str
        Keys of `pstats.Stats.sort_stats`.
    limits : sequence of str
        Each a number of lines, a share of them, or a regular expression.
    """
    if result.sampling is not None:
        order = sort or ("tottime",)
        cut = [_limit(each) for each in limits]
        return clean(view_sampled.report(result, result.sampling, order, cut))
    stats = result.stats()
    stream = io.StringIO()
    stats.stream = stream  # type: ignore[attr-defined]
    if not stats.stats:  # type: ignore[attr-defined]
        return "         0 function calls in 0.000 seconds"
    stats.strip_dirs().sort_stats(*sort or ("tottime",))
    stats.print_stats(*map(_limit, limits))
    return clean(stream.getvalue()).rstrip()


def _limit(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _warnings(result: ProfileResult) -> list[str]:
    """Say what the tables do not tell."""
    warnings = list(_choices(result))
    crowded = sum(thread.crowded for thread in result.threads)
    dropped = sum(thread.dropped for thread in result.threads) + result.unseen
    if result.interrupted:
        warnings.append(
            "ended early by an exception or Ctrl-C; this is what ran before"
        )
    if crowded:
        warnings.append(
            f"the tree was full: {units.plural(crowded, 'call')} counted by function only,"
            " without the time of their callers"
        )
    if dropped:
        warnings.append(
            f"{units.plural(dropped, 'call')} not recorded: too deep, or no memory"
        )
    if result.sampling is not None:
        warnings += view_sampled.warnings(result, result.sampling)
    if result.processes:
        warnings.append(clean(describe(result.processes, result.other_programs)))
    if result.displaced:
        warnings.append(
            "another profiler took over in some thread, where calls are missing"
        )
    return warnings


def _choices(result: ProfileResult) -> Iterator[str]:
    """Say what the choices of `ProfileResult.select` did, one line each."""
    functions = result.functions
    whole = result.total_ns
    for patterns, what in ((result.focus, "focus"), (result.ignore, "ignore")):
        if not patterns:
            continue
        part = result.select(**{what: patterns}).selected()
        time = part.total_ns if what == "focus" else whole - part.total_ns
        verb = "only calls through" if what == "focus" else "without calls of"
        line = f"{verb} {_patterns(patterns)}: {share(time, whole)} of"
        yield f"{line} {units.seconds(whole / 1e9)}" + _none(functions, patterns)
    if result.hide:
        count = len(matching(functions, result.hide))
        yield (
            f"{_patterns(result.hide)} hidden: {units.plural(count, 'function')} folded"
            f" into their callers{_none(functions, result.hide)}"
        )


def _patterns(patterns: Sequence[str]) -> str:
    return " or ".join(one_line(repr(pattern)) for pattern in patterns)


def _none(functions: Sequence[Function], patterns: Sequence[str]) -> str:
    """Tell a pattern that finds nothing, which was most likely meant otherwise."""
    vain = [pattern for pattern in patterns if not matching(functions, [pattern])]
    return f"; no function matches {_patterns(vain)}" if vain else ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    name: str
    picture: Icicle | None


@dataclass(frozen=True, slots=True)
class _Part:
    """What is shown of all threads, or of one of them."""

    name: str
    threads: list[_Drawn]
    graph: Network | None
    graph_note: str
    tables: list[Titled]
    peeks: list[Peek]


def html(result: ProfileResult) -> str:
    """Give the figures, the icicle of each thread, the call graph, and tables."""
    from ..views.html import render

    shown = result.selected()
    seconds, _, unit = units.seconds(shown.total_ns / 1e9).partition(" ")
    if result.by_thread:
        parts = [
            _part(part, one_line(part.threads[0].label), orders=1)
            for part in list(_by_thread(shown))[:_THREADS]
        ]
    else:
        parts = [_part(shown, "", orders=3)]
    seen, warnings = apart(_warnings(result), result.processes, result.other_programs)
    return render(
        "prun/result.html.j2",
        result=result,
        figure=seconds,
        unit=unit,
        summary=_summary(result) + _subtracted(result),
        seen=seen,
        warnings=warnings,
        profiles=parts,
        fold=result.fold,
        children=_children(result),
        engines=view_engines.tables(result),
        more=max(0, len(shown.threads) - _THREADS),
        notes=_notes(result),
    )


def _children(result: ProfileResult) -> ChildrenView | None:
    if not result.processes or result.is_remote:
        return None
    return ChildrenView(
        result.processes,
        {label: _own_times(part) for label, part in result.by_process().items()},
        result.wall_ns,
    )


def _own_times(part: ProfileResult) -> dict[str, float]:
    times = Counter[str]()
    for thread in part.threads:
        for function, time_ns in zip(thread.function, thread.self_ns, strict=True):
            times[part.functions[function].qualname] += time_ns  # type: ignore[assignment]
    return dict(times)


def _part(result: ProfileResult, name: str, orders: int) -> _Part:
    table = rows(result)
    names = names_of(result.functions)
    graph, note = call_graph(table, names)
    sampling = result.sampling
    margin = partial(view_sampled.margin, sampling) if sampling else None
    tables = function_tables(table, names, orders if sampling is None else 2, margin)
    if sampling is not None and not (result.focus or result.ignore or result.hide):
        tables.insert(1, Titled("By line", view_sampled.line_table(sampling)))
    if result.memory:
        tables.insert(1, allocation_table(table, names))
    return _Part(
        name=name,
        threads=list(_drawings(result)),
        graph=graph,
        graph_note=note,
        tables=tables,
        peeks=peeks(table, names, margin),
    )


def names_of(functions: Sequence[Function]) -> dict[Label, str]:
    """Give each function's qualified name."""
    return {function.label: function.qualname for function in functions}


def _drawings(result: ProfileResult) -> Iterator[_Drawn]:
    busiest = sorted(result.threads, key=lambda thread: -thread.total_ns)
    for thread in busiest[:_THREADS]:
        label = one_line(thread.label)
        title = f"Calls of {label}"
        yield _Drawn(label, icicle(_blocks(result, thread), title=title))


def _blocks(result: ProfileResult, thread: Thread) -> list[Block]:
    """Make the icicle's blocks: each node one, or with `fold` each path of functions."""
    tops: list[Block] = []
    top_children: dict[int, _Place] = {}
    # For each node, its block.
    places: list[_Place] = []
    for index, function in enumerate(thread.function):
        parent = thread.parent[index]
        above = places[parent] if parent >= 0 else None
        place = above.running(function) if above and result.fold else None
        if place is None:
            children = above.children if above else top_children
            siblings = above.block.below if above else tops
            if function not in children:
                called = result.functions[function]
                group = "" if called.native else called.file
                block = Block(short(called.qualname), group, 0.0)
                siblings.append(block)
                children[function] = _Place(block, function, above, {}, Counter())
            place = children[function]
        place.block.value += thread.self_ns[index]
        place.figures["calls"] += thread.calls[index]
        place.figures["resumes"] += thread.resumes[index]
        places.append(place)
    _sum_up(places, result, thread.total_ns)
    return tops


@dataclass(slots=True)
class _Place:
    """A block while it is made."""

    block: Block
    function: int
    above: _Place | None
    children: dict[int, _Place]
    figures: Counter[str]

    def running(self, function: int) -> _Place | None:
        """Give the call of a function that this one is part of."""
        place: _Place | None = self
        while place is not None and place.function != function:
            place = place.above
        return place


def _sum_up(places: list[_Place], result: ProfileResult, total: float) -> None:
    """Widen each block by what is below it, and say what the mouse is told."""
    order = list({id(place): place for place in places}.values())
    own = {id(place): place.block.value for place in order}
    # A block comes after the one that it stands under.
    for place in reversed(order):
        if place.above is not None:
            place.above.block.value += place.block.value
    noun = "call" if result.sampling is None else "sample"
    for place in order:
        function = result.functions[place.function]
        block = place.block
        block.title = (
            f"{short(function.qualname)}: {units.seconds(block.value / 1e9)},"
            f" {share(block.value, total)}; own {units.seconds(own[id(place)] / 1e9)};"
            f" {units.plural(place.figures['calls'], noun)}"
        )
        if place.figures["resumes"]:
            block.title += f", {units.plural(place.figures['resumes'], 'resumption')}"
        if not function.native:
            block.title += f"; {function.file}:{function.line}"


def _slow_instructions(result: ProfileResult) -> Iterator[Note]:
    if result.python.startswith("3.11."):
        yield Note(
            "loops",
            "look dearer than they are, by up to twice: CPython 3.11 runs every instruction"
            " slower while calls are recorded; %prun --sample has the right shares",
        )


def _notes(result: ProfileResult) -> list[Note]:
    if result.sampling is not None:
        return view_sampled.notes(result, result.sampling)
    inside, outside, native_inside, native_outside, *_ = result.costs_ns
    costs = "nothing"
    if any(result.costs_ns):
        costs = (
            f"{units.seconds(result.overhead_ns / 1e9)} in all:"
            f" {units.seconds((inside + outside) / 1e9)} a Python call,"
            f" {units.seconds((native_inside + native_outside) / 1e9)} a C call;"
            " as measured before, times"
            f" {result.pace_ratio:.2f} for the pace of the processor meanwhile"
        )
    nodes = sum(len(thread) for thread in result.threads)
    left_out = ", ".join(map(one_line, result.left_out))
    kernels = [Note("left out", f"the kernel's own: {left_out}")] if left_out else []
    return [
        *kernels,
        Note("subtracted", costs),
        *_slow_instructions(result),
        Note("recorded for", units.seconds(result.wall_ns / 1e9)),
        Note("C functions", "recorded" if result.builtins else "not recorded"),
        Note("paths", f"{nodes:,}, exact: each function once a path that leads to it"),
        Note("Python", result.python),
        Note("when", result.created),
    ]
