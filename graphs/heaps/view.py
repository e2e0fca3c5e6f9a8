"""How the heap's results are shown: the same tables as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...results import Result
from ...views import units
from ...views.names import clean, one_line, shorten
from ...views.tables import Column, Table
from .result import (
    ClassHistory,
    Cluster,
    Cycles,
    Growth,
    HeapDiff,
    HeapSummary,
    Leaks,
    Refcount,
    Suspect,
    TypeRow,
    Variables,
)

__all__ = ["VIEWS", "View", "ready"]

_ROWS = 20
_HOLDER = 80


@dataclass(frozen=True, slots=True)
class Section:
    """A table under its title, or lines."""

    title: str
    table: Table | None = None
    lines: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """What text and HTML are made of."""

    figure: str
    below: str
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = field(default=())


def _text(page: Page) -> str:
    lines = [" ".join(filter(None, (f"{page.figure}:", page.below)))]
    lines += page.warnings
    for section in page.sections:
        lines += ["", section.title]
        if section.table is not None:
            lines.append(section.table.text())
        lines += section.lines
    return "\n".join(lines)


def _html(page: Page) -> str:
    from ...views.html import render

    return render("graphs/heap.html.j2", page=page)


def _table(
    columns: Sequence[Column], rows: Sequence[tuple[str, ...]], total: int
) -> Table:
    return Table(tuple(columns), tuple(rows[:_ROWS]), max(0, total - _ROWS))


def _name(text: str) -> str:
    return one_line(clean(text), 60)


def _holder(text: str) -> str:
    """Write a way, cut in its middle: its beginning and its end say the most."""
    text = one_line(clean(text), 1000)
    if len(text) <= _HOLDER:
        return text
    half = _HOLDER // 2 - 1
    return f"{text[:half]} … {text[-half:]}"


_TYPE = Column("type", code=True)
_COUNT = Column("objects", "right")
_BYTES = Column("bytes", "right")
_RETAINED = Column("retained", "right")
_WHERE = Column("held by", code=True)
_PLACE = Column("which is")


# The heap


def _heap_page(result: HeapSummary) -> Page:
    count, size = result.garbage
    below = (
        f"{units.plural(result.objects, 'object')} and"
        f" {units.plural(result.references, 'reference')}"
    )
    if result.source:
        below += f", from {_name(result.source)}"
    warnings = tuple(_suspicion(it, result.bytes) for it in result.suspects)
    if count:
        warnings += (
            f"{units.plural(count, 'object')} of garbage wait for the collector:"
            f" {units.memory(size)}",
        )
    if result.devices:
        warnings += (f"not counted: {_on_devices(result.devices)}",)
    total = result.bytes or 1
    types = [
        (
            units.count(row.count),
            units.memory(row.bytes),
            units.percent(row.bytes / total),
            units.memory(row.retained),
            _name(row.name),
        )
        for row in result.types
    ]
    biggest = [
        (
            units.memory(it.retained),
            units.percent(it.retained / total),
            _name(it.type),
            _holder(it.holder),
            _name(it.place),
        )
        for it in result.biggest
    ]
    share = Column("%", "right")
    sections = [
        Section(
            "By type; retained: freed if all of them went",
            _table((_COUNT, _BYTES, share, _RETAINED, _TYPE), types, len(types)),
        )
    ]
    if biggest:
        sections.append(
            Section(
                "What alone keeps most alive",
                _table(
                    (_RETAINED, share, _TYPE, _WHERE, _PLACE), biggest, len(biggest)
                ),
            )
        )
    notes = tuple(
        f"{name}  {_name(value)}"
        for name, value in (("Python", result.python), ("when", result.created))
        if value
    )
    sections.append(Section("Details", lines=notes, open=False))
    return Page(units.memory(result.bytes), below, warnings, tuple(sections))


def _on_devices(devices: Sequence[tuple[str, int]]) -> str:
    """Give the memory of devices in words."""
    return ", ".join(f"{units.memory(size)} on {_name(name)}" for name, size in devices)


def _suspicion(it: Suspect, total: int) -> str:
    """Say in a sentence what keeps a large part of the heap."""
    held = ", ".join(
        f"{units.count(row.count)} {_name(row.name)} ({units.memory(row.bytes)})"
        for row in it.held[:3]
    )
    return (
        f"{_holder(it.holder)}, {_a(_name(it.type))}, keeps"
        f" {units.percent(it.retained / max(total, 1))} of the heap alive: {held}"
    )


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeio" else f"a {noun}"


def _heap_line(result: HeapSummary) -> str:
    return (
        f"{units.plural(result.objects, 'object')}, {units.memory(result.bytes)}"
        f" in {units.plural(len(result.types), 'type')}"
    )


# Two heaps


def _diff_page(result: HeapDiff) -> Page:
    rows = [
        (
            f"{row.count[1] - row.count[0]:+,}",
            units.change(row.bytes[1] - row.bytes[0]),
            units.count(row.count[1]),
            units.memory(row.bytes[1]),
            _name(row.name),
        )
        for row in result.types
    ]
    columns = (Column("change", "right"), Column("", "right"), _COUNT, _BYTES, _TYPE)
    change = result.bytes[1] - result.bytes[0]
    return Page(
        units.change(change),
        f"{result.objects[1] - result.objects[0]:+,} objects,"
        f" now {units.count(result.objects[1])} of {units.memory(result.bytes[1])}",
        sections=(Section("By type", _table(columns, rows, len(rows))),),
    )


def _diff_line(result: HeapDiff) -> str:
    change = result.bytes[1] - result.bytes[0]
    return f"{units.change(change)} in {units.plural(len(result.types), 'type')}"


# Growth


def _growth_page(result: Growth) -> Page:
    count, size = result.new
    columns = (
        Column("new", "right"),
        _BYTES,
        Column("alive", "right"),
        _TYPE,
    )
    rows = [
        (
            units.count(row.count),
            units.memory(row.bytes),
            f"{row.change:+,}",
            _name(row.name),
        )
        for row in result.types
    ]
    sections: tuple[Section, ...] = ()
    if rows:
        sections += (
            Section(
                "By type; alive: how the number of all of them changed",
                _table(columns, rows, len(rows)),
            ),
        )
    if result.clusters:
        sections += (_clusters("By what holds them", result.clusters, again=False),)
    kept, kept_bytes = result.bookkeeping
    warnings: tuple[str, ...] = ()
    if kept:
        warnings = (
            f"not counted: {units.plural(kept, 'object')} that IPython, the interpreter"
            f" and nbprobe keep for themselves, {units.memory(kept_bytes)}",
        )
    change = result.objects[1] - result.objects[0]
    below = (
        f"in {units.plural(count, 'new object')} since {clean(result.since)}; all"
        f" objects {change:+,}, {units.change(result.bytes[1] - result.bytes[0])}"
    )
    return Page(units.memory(size), below, warnings, sections)


def _clusters(title: str, clusters: Sequence[Cluster], *, again: bool) -> Section:
    columns = [_COUNT, _BYTES, Column("of", "right"), _TYPE, _WHERE, _PLACE]
    if again:
        columns.insert(3, Column("again", "right"))
    rows = []
    for it in clusters:
        row = [
            units.count(it.count),
            units.memory(it.bytes),
            units.count(it.entrances),
            _name(it.type),
            _holder(it.holder),
            _name(it.place),
        ]
        if again:
            row.insert(3, units.count(it.again))
        rows.append(tuple(row))
    return Section(title, _table(columns, rows, len(rows)))


def _growth_line(result: Growth) -> str:
    count, size = result.new
    return (
        f"{units.plural(count, 'new object')}, {units.memory(size)}, since"
        f" {clean(result.since)}"
    )


def _leaks_page(result: Leaks) -> Page:
    count, size = result.left
    again, again_bytes = result.again
    below = (
        f"in {units.plural(count, 'object')} left behind by a first run and alive after"
        f" a second, which left {units.plural(again, 'object')},"
        f" {units.memory(again_bytes)}"
    )
    sections: tuple[Section, ...] = ()
    if result.statement:
        sections = (
            Section(
                "Statement, run twice",
                lines=tuple(clean(result.statement).splitlines()[:_ROWS]),
            ),
        )
    if result.clusters:
        sections += (
            _clusters(
                "By what holds them; again: as many from the second run",
                result.clusters,
                again=True,
            ),
        )
    return Page(units.memory(size), below, sections=sections)


def _leaks_line(result: Leaks) -> str:
    count, size = result.left
    return f"{units.plural(count, 'object')} left behind, {units.memory(size)}"


# Variables


def _variables_page(result: Variables) -> Page:
    devices = any(it.devices for it in result.variables)
    columns = (
        Column("variable", code=True),
        _TYPE,
        Column("itself", "right"),
        Column("deep", "right"),
        _RETAINED,
        *((Column("on devices", "right"),) if devices else ()),
        Column("other holders", "right"),
        Column("shared with", code=True),
    )
    rows = [
        (
            _name(it.name),
            _name(it.type),
            units.memory(it.shallow),
            units.memory(it.deep),
            units.memory(it.retained),
            *((_on_devices(it.devices),) if devices else ()),
            units.count(it.holders),
            _shared(it.shared),
        )
        for it in result.variables
    ]
    warnings: tuple[str, ...] = ()
    if result.left_out:
        warnings = (
            f"not looked at: {units.plural(len(result.left_out), 'variable')} that"
            " retain less",
        )
    retained = sum(it.retained for it in result.variables)
    return Page(
        units.memory(retained),
        f"retained by {units.plural(len(result.variables), 'variable')}",
        warnings,
        (
            Section(
                "deep: with all data that it leads to; retained: freed with the object",
                Table.capped(columns, rows, len(rows)),
            ),
        ),
    )


def _shared(shared: Sequence[tuple[str, int]]) -> str:
    return shorten(
        ", ".join(f"{_name(name)} ({units.memory(size)})" for name, size in shared), 100
    )


def _variables_line(result: Variables) -> str:
    retained = sum(it.retained for it in result.variables)
    return (
        f"{units.plural(len(result.variables), 'variable')} retain"
        f" {units.memory(retained)}"
    )


# Cycles


def _cycles_page(result: Cycles) -> Page:
    count, size = result.garbage
    sections: list[Section] = []
    if result.statement:
        sections.append(_pauses(result))
    if result.types:
        rows = _type_cells(result.types)
        sections.append(
            Section("Garbage by type", _table((_COUNT, _BYTES, _TYPE), rows, len(rows)))
        )
    if result.cycles:
        rows = [
            (
                units.count(it.objects),
                units.memory(it.bytes),
                _holder(" → ".join(it.ring)),
            )
            for it in result.cycles
        ]
        sections.append(
            Section(
                f"Circles: {units.count(result.count)}, the largest first",
                _table(
                    (_COUNT, _BYTES, Column("one way round", code=True)),
                    rows,
                    result.count,
                ),
            )
        )
    sections.append(_collector(result))
    warnings: tuple[str, ...] = ()
    if not result.enabled:
        warnings += ("the collector is switched off: gc.enable() switches it on",)
    if result.uncollectable:
        warnings += (
            f"gc.garbage holds {units.plural(result.uncollectable, 'object')}",
        )
    below = f"in {units.plural(count, 'object')} of garbage that wait for the collector"
    if result.frozen:
        below += f"; {units.plural(result.frozen, 'object')} frozen"
    return Page(units.memory(size), below, warnings, tuple(sections))


def _type_cells(rows: Sequence[TypeRow]) -> list[tuple[str, ...]]:
    return [
        (units.count(row.count), units.memory(row.bytes), _name(row.name))
        for row in rows
    ]


def _pauses(result: Cycles) -> Section:
    total = sum(it.ns for it in result.pauses)
    columns = (
        Column("generation", "right"),
        Column("pauses", "right"),
        Column("in all", "right"),
        Column("longest", "right"),
        Column("freed", "right"),
    )
    rows = []
    for generation in sorted({it.generation for it in result.pauses}):
        group = [it for it in result.pauses if it.generation == generation]
        rows.append(
            (
                str(generation),
                units.count(len(group)),
                units.seconds(sum(it.ns for it in group) / 1e9),
                units.seconds(max(it.ns for it in group) / 1e9),
                units.count(sum(it.collected for it in group)),
            )
        )
    share = total / result.wall_ns if result.wall_ns else 0.0
    return Section(
        f"{units.plural(len(result.pauses), 'collection')} in"
        f" {units.seconds(result.wall_ns / 1e9)}: {units.seconds(total / 1e9)},"
        f" {units.percent(share)} of the time",
        _table(columns, rows, len(rows)) if rows else None,
    )


def _collector(result: Cycles) -> Section:
    columns = (
        Column("generation", "right"),
        Column("threshold", "right"),
        Column("waiting", "right"),
        Column("collections", "right"),
        Column("freed", "right"),
        Column("uncollectable", "right"),
    )
    rows = [
        (
            str(generation),
            units.count(it.threshold),
            units.count(it.count),
            units.count(it.collections),
            units.count(it.collected),
            units.count(it.uncollectable),
        )
        for generation, it in enumerate(result.collectors)
    ]
    return Section("The collector since the start", _table(columns, rows, len(rows)))


def _cycles_line(result: Cycles) -> str:
    count, size = result.garbage
    return f"{units.plural(count, 'object')} of garbage, {units.memory(size)}"


# References to one object


def _refcount_page(result: Refcount) -> Page:
    what = f"{_name(result.type)} {_name(result.value)}"
    if result.total is None:
        return Page(
            "immortal",
            f"{what}: its references are not counted, and it is never freed",
        )
    rows = [
        (units.count(number), _holder(name))
        for held in (result.frames, result.objects)
        for name, number in held
    ]
    if result.outside:
        rows.append(
            (
                units.count(result.outside),
                "(outside: C code, the interpreter or a running expression)",
            )
        )
    columns = (Column("references", "right"), _WHERE)
    return Page(
        units.plural(result.total, "reference"),
        f"to {what}",
        sections=(Section("Whose they are", _table(columns, rows, len(rows))),),
    )


def _refcount_line(result: Refcount) -> str:
    what = f"{_name(result.type)} {_name(result.value)}"
    if result.total is None:
        return f"{what} is immortal"
    return f"{units.plural(result.total, 'reference')} to {what}"


# Classes over time


def _history_page(result: ClassHistory) -> Page:
    sections = []
    for index, name in enumerate(result.classes):
        rows = [
            (
                units.seconds(moment.seconds),
                _name(moment.description),
                units.count(moment.rows[index].count),
                units.memory(moment.rows[index].bytes),
                units.memory(moment.rows[index].retained),
            )
            for moment in result.moments
        ]
        columns = (
            Column("time", "right"),
            Column("snapshot"),
            Column("instances", "right"),
            _BYTES,
            _RETAINED,
        )
        sections.append(Section(_name(name), Table.capped(columns, rows, len(rows))))
    return Page(
        units.plural(len(result.classes), "class", "classes"),
        f"at {units.plural(len(result.moments), 'moment')}",
        sections=tuple(sections[:_ROWS]),
    )


def _history_line(result: ClassHistory) -> str:
    return (
        f"{units.plural(len(result.classes), 'class', 'classes')} at"
        f" {units.plural(len(result.moments), 'moment')}"
    )


def ready() -> None:
    """Import what showing needs, so that it is not taken for what somebody's code made."""
    _html(Page("", ""))


@dataclass(frozen=True, slots=True)
class View:
    """How results of one kind are shown."""

    line: Callable[[Any], str]
    page: Callable[[Any], Page]

    def text(self, result: Result) -> str:
        """Give the whole of it as text."""
        return _text(self.page(result))

    def html(self, result: Result) -> str:
        """Give the whole of it as HTML."""
        return _html(self.page(result))


VIEWS: dict[type[Result], View] = {
    ClassHistory: View(_history_line, _history_page),
    Cycles: View(_cycles_line, _cycles_page),
    Growth: View(_growth_line, _growth_page),
    HeapDiff: View(_diff_line, _diff_page),
    HeapSummary: View(_heap_line, _heap_page),
    Leaks: View(_leaks_line, _leaks_page),
    Refcount: View(_refcount_line, _refcount_page),
    Variables: View(_variables_line, _variables_page),
}
