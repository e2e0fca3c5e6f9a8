"""How two profiles are shown side by side: what got slower, and what got faster."""

from __future__ import annotations

from collections.abc import Sequence

from ..views import units
from ..views.names import one_line
from ..views.notes import Note
from ..views.tables import Column, Hint, Table
from .difference import Change, ProfileDiff
from .view_tables import Titled, short, where

__all__ = ["headline", "html", "text"]

_ROWS = 15
# A change of own time that is below this share of the whole is not worth a line.
_LEAST = 0.002

_COLUMNS = (
    Column("own before", "right"),
    Column("after", "right"),
    Column("change", "right"),
    Column("total before", "right"),
    Column("after", "right"),
    Column("calls before", "right"),
    Column("after", "right"),
    Column("function", code=True),
    Column("where", code=True),
)


def headline(diff: ProfileDiff) -> str:
    """Give the difference in one line."""
    before, after = diff.total_ns
    word = _word(before, after)
    return (
        f"{units.seconds(before / 1e9)} before, {units.seconds(after / 1e9)} now{word}"
    )


def _word(before: float, after: float) -> str:
    if not (before > 0 and after > 0):
        return ""
    if after >= before:
        return f": {after / before:.2f}x as long"
    return f": {before / after:.2f}x faster"


def text(diff: ProfileDiff) -> str:
    """Give the tables as text."""
    lines = [headline(diff)]
    for titled in _tables(diff):
        lines += ["", titled.title, titled.table.text()]
    return "\n".join([*lines, "", _same(diff)])


def html(diff: ProfileDiff) -> str:
    """Give the tables as HTML."""
    from ..views.html import render

    before, after = diff.total_ns
    figure = f"{after / before:.2f}x" if before > 0 and after > 0 else "—"
    return render(
        "prun/difference.html.j2",
        diff=diff,
        figure=figure,
        unit="the time of before",
        summary=headline(diff),
        tables=list(_tables(diff)),
        same=_same(diff),
        notes=_notes(diff),
    )


def _parted(diff: ProfileDiff) -> tuple[list[Change], list[Change]]:
    least = _LEAST * max(diff.total_ns)
    slower = [change for change in diff.changes if change.change_ns > least]
    faster = [change for change in reversed(diff.changes) if -change.change_ns > least]
    return slower, faster


def _tables(diff: ProfileDiff) -> list[Titled]:
    slower, faster = _parted(diff)
    return [
        _titled("Slower", slower, "no function takes more time of its own"),
        _titled("Faster", faster, "no function takes less time of its own"),
    ]


def _titled(title: str, changes: Sequence[Change], none: str) -> Titled:
    if not changes:
        return Titled(f"{title}: {none}", Table((), ()))
    total = sum(change.change_ns for change in changes)
    rows = tuple(_cells(change) for change in changes[:_ROWS])
    table = Table(_COLUMNS, rows, max(0, len(changes) - _ROWS))
    return Titled(f"{title}: {_signed(total)} in {_functions(changes)}", table)


def _functions(changes: Sequence[Change]) -> str:
    return units.plural(len(changes), "function")


def _cells(change: Change) -> tuple[str | Hint, ...]:
    return (
        units.seconds(change.self_ns[0] / 1e9),
        units.seconds(change.self_ns[1] / 1e9),
        _signed(change.change_ns),
        units.seconds(change.total_ns[0] / 1e9),
        units.seconds(change.total_ns[1] / 1e9),
        f"{change.calls[0]:,}" if change.calls[0] else "new",
        f"{change.calls[1]:,}" if change.calls[1] else "gone",
        one_line(short(change.name)),
        where(change.file, change.line),
    )


def _signed(time_ns: float) -> str:
    return ("+" if time_ns >= 0 else "-") + units.seconds(abs(time_ns) / 1e9)


def _same(diff: ProfileDiff) -> str:
    slower, faster = _parted(diff)
    others = len(diff.changes) - len(slower) - len(faster)
    return (
        f"{units.plural(others, 'other function')} changed by less than"
        f" {units.percent(_LEAST)} of the whole; one run each, so that a few per cent may"
        " be the machine's"
    )


def _notes(diff: ProfileDiff) -> list[Note]:
    return [
        Note("calls", f"{diff.calls[0]:,} before, {diff.calls[1]:,} after"),
        Note("before", f"Python {diff.pythons[0]}, {diff.created[0]}"),
        Note("after", f"Python {diff.pythons[1]}, {diff.created[1]}"),
    ]
