"""How a measurement of memory is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..live.processes import Process, describe
from ..places import place_of
from ..views import charts, units
from ..views.drawing import Picture
from ..views.icicle import Block, Icicle, icicle
from ..views.names import one_line
from ..views.notes import Note, aligned, parted
from ..views.processes import state_of
from ..views.tables import Column, Table
from .recording import MIB
from .result import ChildRun, MemoryResult, Place, Site

__all__ = [
    "children_table",
    "flames",
    "headline",
    "html",
    "peak_line",
    "stock_line",
    "text",
    "where",
]

_LINES = 10
_KINDS = 12
_DEEPEST = 24
_ELSEWHERE = "(libraries outside of the GIL, and smaller places)"

# What is less than that is no matter: of the resident figure, and of all that was allocated.
_NOTABLE = 2**20
_NOTABLE_SHARE = 0.01

# What one icicle shows, and what all of one output may take; the result has everything.
_BLOCKS = 400
_FLAMES_BYTES = 80_000


def peak_line(peak_bytes: int, increment_bytes: int) -> str:
    """Give the line that memory_profiler's ``%memit`` prints."""
    return (
        f"peak memory: {peak_bytes / MIB:.02f} MiB,"
        f" increment: {increment_bytes / MIB:.02f} MiB"
    )


def stock_line(result: MemoryResult) -> str:
    """Give that line of a result."""
    return peak_line(result.peak_rss, result.increment_rss)


headline = stock_line


def text(result: MemoryResult) -> str:
    """Give memory_profiler's line, and below it what it does not know."""
    serious, notes = parted(_remarks(result))
    lines = [stock_line(result), *aligned([*serious, *_figures(result), *notes])]
    table = _lines(result)
    if table.rows:
        lines += ["", table.text()]
    for title, found in (
        (
            "allocated in child processes",
            children_table(result.child_runs, result.processes),
        ),
        ("kept", _kept(result)),
        ("left behind by every run", _survivors(result)),
    ):
        if found.rows:
            lines += ["", f"{title}:", found.text()]
    return "\n".join(lines)


def _figures(result: MemoryResult) -> list[Note]:
    run = result.run
    blocks = units.plural(run.allocations, "block")
    notes = [
        Note("allocated", f"{units.memory(run.allocated_bytes)} in {blocks}"),
        Note("at once", f"{units.memory(run.peak_allocated)} at the most"),
        Note("kept", _retained(result)),
    ]
    if result.native:
        taken = units.plural(run.native_allocations, "block")
        notes.append(
            Note("by libraries", f"{units.memory(run.native_bytes)} of it in {taken}")
        )
    change = run.end_rss - run.start_rss
    if abs(change) >= _NOTABLE:
        notes.append(Note("afterwards", f"{units.change(change)} resident"))
    if run.collections:
        number = units.plural(run.collections, "garbage collection")
        notes.append(Note("collections", number))
    return notes


def _retained(result: MemoryResult) -> str:
    run = result.run
    if not run.retained_blocks:
        return "nothing"
    blocks = units.plural(run.retained_blocks, "block")
    return f"{units.memory(run.retained_bytes)} in {blocks}"


def _remarks(result: MemoryResult) -> list[Note]:
    """Say what is out of the ordinary, or was asked for."""
    notes = []
    if result.interrupted:
        notes.append(
            Note(
                "partial",
                "ended early by an exception or Ctrl-C; this is what ran before",
                serious=True,
            )
        )
    notes += [Note("not known", note, serious=True) for note in result.notes]
    if not result.exact:
        notes.append(Note("resident", f"found by {result.resident_how}"))
    if (strange := _strangers(result)) and not result.native:
        notes.append(
            Note(
                "resident",
                f"{units.memory(strange)} of it are memory or code of libraries;"
                " --native counts what they allocate",
            )
        )
    if result.include_children:
        notes.append(
            Note("processes", "all that it started; what they share is counted once")
        )
    if result.processes:
        seen = describe(result.processes, result.other_programs)
        notes.append(Note("children", one_line(seen, 300)))
    if len(result.runs) > 1:
        notes.append(Note("runs", _runs(result)))
    return notes


def _strangers(result: MemoryResult) -> int:
    """Give what was resident beside Python's own memory, when that is most of it."""
    strange = result.increment_rss - result.peak_allocated
    is_most = 2 * strange > result.increment_rss
    if result.include_children or strange < 4 * _NOTABLE or not is_most:
        return 0
    return strange


def _runs(result: MemoryResult) -> str:
    peaks = [run.peak_rss - run.start_rss for run in result.runs]
    shown = ", ".join(units.change(peak) for peak in peaks[:7])
    more = f" and {len(peaks) - 7:,} more" if len(peaks) > 7 else ""
    return f"{len(peaks):,}, resident peaks {shown}{more}; allocations are of the least"


def where(place: Place) -> str:
    """Name a line: the file's own name and the number."""
    return one_line(place_of(place.file, place.line), 40)


def _lines(result: MemoryResult, *, bars: bool = False) -> Table:
    """Give the lines that allocated most."""
    lines: list[tuple[Place | None, Site]] = [*result.lines()]
    elsewhere = result.elsewhere
    if elsewhere.allocated_bytes > _NOTABLE_SHARE * result.allocated_bytes:
        lines.append((None, elsewhere))
        lines.sort(key=lambda line: -line[1].allocated_bytes)
    limit = max((site.allocated_bytes for _, site in lines), default=0)
    columns = [
        Column("allocated", "right"),
        Column("blocks", "right"),
        Column("at the peak", "right"),
        Column("kept", "right"),
        Column("line", code=True),
        Column("code", code=True),
        Column("function", code=True),
    ]
    rows: list[tuple[str | Picture, ...]] = []
    for place, site in lines[:_LINES]:
        row = (
            units.memory(site.allocated_bytes),
            f"{site.allocations:,}",
            units.memory(site.peak_bytes),
            units.memory(site.alive_bytes),
            where(place) if place else "",
            one_line(place.text, 70) if place else _ELSEWHERE,
            one_line(place.function, 30) if place else "",
        )
        share = site.allocated_bytes / (limit or 1)
        bar = charts.interval_bar(share, share, share, 1.0, width=60)
        rows.append((bar, *row) if bars else row)
    if bars:
        columns.insert(0, Column("share"))
    return Table(tuple(columns), tuple(rows), max(0, len(lines) - _LINES))


def _kept(result: MemoryResult) -> Table:
    rows = tuple(
        (units.memory(kind.bytes), f"{kind.objects:,}", one_line(kind.type))
        for kind in result.kept[:_KINDS]
    )
    columns = (Column("bytes", "right"), Column("objects", "right"), Column("type"))
    return Table(columns, rows, max(0, len(result.kept) - _KINDS))


_CHILD_COLUMNS = (
    Column("process"),
    Column("allocated", "right"),
    Column("blocks", "right"),
    Column("at once", "right"),
    Column("kept", "right"),
    Column("resident peak", "right"),
    Column("state"),
)


def children_table(
    child_runs: Iterable[ChildRun], processes: Iterable[Process]
) -> Table:
    """Give what child processes allocated, the one with most first."""
    states = {process.label: state_of(process) for process in processes}
    runs = sorted(child_runs, key=lambda each: -each.run.allocated_bytes)
    rows = [
        (
            one_line(each.process),
            units.memory(each.run.allocated_bytes),
            f"{each.run.allocations:,}",
            units.memory(each.run.peak_allocated),
            units.memory(each.run.retained_bytes),
            units.memory(each.run.peak_rss),
            states.get(each.process, ""),
        )
        for each in runs
    ]
    return Table.capped(_CHILD_COLUMNS, rows, len(rows))


def _survivors(result: MemoryResult) -> Table:
    """Give what every run leaves behind, and what holds it."""
    rows = [
        (
            f"{survivor.objects:,}",
            one_line(survivor.type),
            one_line("; ".join(survivor.held_by), 100),
            one_line("; ".join(filter(None, survivor.advice)), 60),
        )
        for survivor in result.survivors[:_KINDS]
    ]
    columns = (
        Column("objects", "right"),
        Column("type"),
        Column("held by", code=True),
        Column("to let go", code=True),
    )
    more = max(0, len(result.survivors) - _KINDS)
    return Table(columns, tuple(rows), more)


@dataclass(frozen=True, slots=True)
class Flame:
    """An icicle of one cost."""

    title: str
    total: str
    picture: Icicle


_COSTS: tuple[tuple[str, Callable[[Site], int]], ...] = (
    ("at the peak", lambda site: site.peak_bytes),
    ("allocated", lambda site: site.allocated_bytes),
    ("temporary", lambda site: site.temporary_bytes),
    ("still alive", lambda site: site.alive_bytes),
)


def flames(places: Sequence[Place], sites: Sequence[Site]) -> list[Flame]:
    """Draw who allocated, on which way, once for each cost that is not nothing."""
    drawn: list[Flame] = []
    left = _FLAMES_BYTES
    for title, cost in _COSTS:
        total = sum(map(cost, sites))
        if not total:
            continue
        picture = icicle(_blocks(places, sites, cost), title=f"Bytes {title}")
        if picture is None:
            continue
        left -= len(picture.picture.src) + sum(len(a.title) + 60 for a in picture.areas)
        if left < 0 and drawn:
            break
        drawn.append(Flame(title, units.memory(total), picture))
    return drawn


def _blocks(
    places: Sequence[Place], sites: Sequence[Site], cost: Callable[[Site], int]
) -> list[Block]:
    """Make the icicle's blocks: outermost calls on top, the line that allocates below."""
    top = _Node(Block("", "", 0.0), {})
    ordered = sorted(filter(cost, sites), key=cost, reverse=True)
    room = _BLOCKS
    for index, site in enumerate(ordered):
        value = cost(site)
        room -= len(site.places[:_DEEPEST])
        if room < 0:
            rest = ordered[index:]
            name = units.plural(len(rest), "smaller place")
            top.block.below.append(Block(name, "-", float(sum(map(cost, rest)))))
            break
        if not site.places:
            top.block.below.append(Block(_ELSEWHERE, "-", float(value)))
            continue
        node = top
        for number in reversed(site.places[:_DEEPEST]):
            node = node.child(number, places[number])
            node.block.value += value
            size = units.memory(node.block.value)
            node.block.title = f"{node.block.name}: {size}"
    return top.block.below


@dataclass(frozen=True, slots=True)
class _Node:
    """A block, and the nodes below it by their place."""

    block: Block
    below: dict[int, _Node]

    def child(self, number: int, place: Place) -> _Node:
        if number not in self.below:
            block = Block(f"{place.function} {where(place)}", place.file, 0.0)
            self.below[number] = _Node(block, {})
            self.block.below.append(block)
        return self.below[number]


def html(result: MemoryResult) -> str:
    """Give both figures, the course of resident memory, and what allocated."""
    from ..views.html import render

    serious, notes = parted(_remarks(result))
    return render(
        "memit/result.html.j2",
        result=result,
        resident=_figure(result.increment_rss),
        allocated=_figure(result.peak_allocated),
        stock=stock_line(result),
        warnings=[note.text for note in serious],
        course=_course(result),
        notes=[*_figures(result), *notes],
        lines=_lines(result, bars=True),
        children=children_table(result.child_runs, result.processes),
        kept=_kept(result),
        survivors=_survivors(result),
        flames=flames(result.places, result.sites),
        details=_details(result),
    )


def _figure(number: int) -> tuple[str, str]:
    value, _, unit = units.memory(number, 4).partition(" ")
    return value, unit


def _course(result: MemoryResult) -> Picture | None:
    values = [float(bytes_) for _, bytes_ in result.samples]
    if not values:
        return None
    lowest, highest = units.memory(min(values), 4), units.memory(max(values), 4)
    alt = f"Resident memory over the run, from {lowest} to {highest}"
    return charts.sparkline(values, alt=alt)


def _details(result: MemoryResult) -> list[Note]:
    run = result.run
    return [
        Note("as %memit says", stock_line(result)),
        Note("resident peak by", result.resident_how),
        Note("freed", f"{units.memory(run.freed_bytes)} in {run.frees:,} blocks"),
        Note("time", units.seconds(run.wall_ns / 1e9)),
        Note("Python", result.python),
        Note("when", result.created),
    ]
