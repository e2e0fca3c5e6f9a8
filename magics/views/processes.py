"""The child processes of a profile: what each did, how even it was, and when each ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from ..live.balance import Balance
from ..live.processes import STATES, Process, describe, is_whole
from . import units
from .colours import AMBER, BLUE, GREEN, GREY, MAGENTA, ORANGE, TEAL, VIOLET
from .drawing import Picture, picture, rect, text
from .names import clean, one_line
from .tables import Column, Table

__all__ = ["ChildrenView", "apart", "balance_line", "state_of"]

_WIDTH = 160
_HEIGHT = 12
_LEGEND_STEP = 14
_COLOURS = (BLUE, GREEN, VIOLET, TEAL, MAGENTA, AMBER)
_REST = "all others"
# Rows and letters of the text.
_LINES = 16
_LETTERS = 32

_COLUMNS = (
    Column("process"),
    Column("time", "right"),
    Column("%", "right"),
    Column("functions"),
    Column("when"),
    Column("messages", "right"),
    Column("state"),
)


def apart(
    warnings: Sequence[str], processes: Sequence[Process], others: int = 0
) -> tuple[str, list[str]]:
    """Take out of a view's warnings who took part, where that is none; '' where it is."""
    line = clean(describe(processes, others)) if is_whole(processes) else ""
    seen = line if line in warnings else ""
    return seen, [each for each in warnings if each != seen]


def state_of(process: Process) -> str:
    """Say what became of a process, and why."""
    state = STATES[process.state]
    return f"{state}: {one_line(process.note)}" if process.note else state


def balance_line(what: str, times_ns: Mapping[str, float]) -> str:
    """Say in one line how times are spread; empty for fewer than two."""
    if len(times_ns) < 2:
        return ""
    balance = Balance.of(times_ns)
    low, middle, high = (
        units.seconds(value / 1e9)
        for value in (balance.minimum, balance.median, balance.maximum)
    )
    return (
        f"{what}: {low} at the least, {middle} median, {high} at the most"
        f" ({one_line(balance.most)}), imbalance {balance.imbalance:.0%}"
    )


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    parts: Mapping[str, float]
    since: float
    until: float
    process: Process | None

    @property
    def ran(self) -> bool:
        """Whether it is known when."""
        return self.process is None or self.process.snapshots > 0

    @property
    def time_ns(self) -> float:
        return fsum(self.parts.values())


class ChildrenView:
    """The profiled process and its children.

    Parameters
    ----------
    processes : sequence of Process
        The child processes.
    parts : mapping of str to mapping of str to float
        What each measured, by its label: the time of its functions without callees, ns.
        The profiled process has the label ``''``.
    wall_ns : int
        How long the profile ran.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        parts: Mapping[str, Mapping[str, float]],
        wall_ns: int,
    ) -> None:
        wall = max(wall_ns, 1)
        rows = [
            _Row(
                one_line(process.label),
                parts.get(process.label, {}),
                min(max(process.since_ns / wall, 0.0), 1.0),
                min(max(process.until_ns / wall, 0.0), 1.0),
                process,
            )
            for process in processes
        ]
        rows.sort(key=lambda row: -row.time_ns)
        self._wall_ns = wall
        self._rows = [_Row("this process", parts.get("", {}), 0.0, 1.0, None), *rows]
        self._total = fsum(row.time_ns for row in self._rows) or 1.0
        self._longest = max(row.time_ns for row in self._rows) or 1.0
        times = Counter[str]()
        for row in self._rows:
            times.update(row.parts)
        most = times.most_common(len(_COLOURS))
        self._colours = {
            name: colour for (name, _), colour in zip(most, _COLOURS, strict=False)
        }

    @property
    def balance(self) -> str:
        """How even the children were, in one line; empty for fewer than two."""
        times = {row.label: row.time_ns for row in self._rows[1:] if row.parts}
        return balance_line("child processes", times)

    def table(self) -> Table:
        """Give one row a process, the profiled one first, then by their time.

        The bars are stacked of the functions with most time; under them stands which.
        """
        rows: list[tuple[str | Picture, ...]] = [self._cells(row) for row in self._rows]
        table = Table.capped(_COLUMNS, rows, len(rows))
        legend = ("", "", "", self._legend(), "", "", "")
        return Table(table.columns, (*table.rows, legend), table.more)

    def _cells(self, row: _Row) -> tuple[str | Picture, ...]:
        since, until = (
            units.seconds(each * self._wall_ns / 1e9) for each in (row.since, row.until)
        )
        process = row.process
        return (
            row.label,
            units.seconds(row.time_ns / 1e9),
            units.percent(row.time_ns / self._total),
            self._stack(row),
            _bar(row.since, row.until, f"from {since} to {until}") if row.ran else "",
            str(process.snapshots) if process else "",
            state_of(process) if process else "",
        )

    def _stack(self, row: _Row) -> Picture:
        """Draw one bar, as long as the time, of one piece a function."""
        shapes = [_frame(GREY)]
        left = 0.0
        words = []
        known = [name for name in self._colours if row.parts.get(name, 0.0) > 0]
        rest = row.time_ns - fsum(row.parts[name] for name in known)
        pieces = [(name, row.parts[name], self._colours[name]) for name in known]
        for name, time_ns, colour in [*pieces, (_REST, rest, GREY)]:
            width = max(0.0, time_ns) / self._longest * (_WIDTH - 1)
            if width < 0.5:
                continue
            shapes.append(rect(left, 1, width, _HEIGHT - 3, f"fill='{colour}'"))
            left += width
            words.append(f"{units.percent(time_ns / row.time_ns)} {one_line(name)}")
        return picture(shapes, ", ".join(words) or "nothing", _WIDTH, _HEIGHT)

    def _legend(self) -> Picture:
        shapes = []
        names = [*self._colours.items(), (_REST, GREY)]
        for place, (name, colour) in enumerate(names):
            top = place * _LEGEND_STEP
            shapes.append(rect(0, top + 2, 10, 10, f"fill='{colour}'"))
            shapes.append(text(14, top + 11, one_line(name, 26), "start"))
        alt = "from left to right: " + ", ".join(one_line(name) for name, _ in names)
        return picture(shapes, alt, _WIDTH, len(names) * _LEGEND_STEP)

    def lines(self) -> list[str]:
        """Give the same as text: a timeline, one line a process."""
        shown = self._rows[:_LINES]
        width = max(len(row.label) for row in shown)
        lines = [f"{'process':{width}}        time      %  when"]
        for row in shown:
            start = min(round(row.since * _LETTERS), _LETTERS - 1)
            end = max(round(row.until * _LETTERS), start + 1) if row.ran else start
            when = f"{'.' * start}{'=' * (end - start)}{'.' * (_LETTERS - end)}"
            lines.append(
                f"{row.label:{width}}  {units.seconds(row.time_ns / 1e9):>10}"
                f"  {units.percent(row.time_ns / self._total):>5}  {when}"
            )
        more = len(self._rows) - len(shown)
        if more:
            lines.append(f"and {more:,} more, with less time")
        return [*lines, *filter(None, [self.balance])]


def _frame(colour: str) -> str:
    style = f"fill='{colour}' opacity='0.3'"
    return rect(0, _HEIGHT - 1, _WIDTH, 1, style)


def _bar(start: float, end: float, alt: str) -> Picture:
    width = max(1.0, (end - start) * (_WIDTH - 1))
    bar = rect(start * (_WIDTH - 1), 1, width, _HEIGHT - 3, f"fill='{ORANGE}'")
    return picture([_frame(ORANGE), bar], alt, _WIDTH, _HEIGHT)
