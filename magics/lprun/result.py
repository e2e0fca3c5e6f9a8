"""What a line profile gives: the lines of each function, with counts and times.

Plain data; every time is in nanoseconds. Times are corrected for what the probes take,
except where a name says raw.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING, Any, ClassVar

from ..live.processes import Process
from ..results import Result

if TYPE_CHECKING:
    from .difference import LineDifference
    from .stats import LineStats

__all__ = ["Function", "Line", "LineMemory", "LineResult"]


@dataclass(frozen=True, slots=True)
class LineMemory:
    """What a line allocated through Python's allocators, and freed of what is that young.

    Attributes
    ----------
    allocated_bytes, allocated_blocks, freed_bytes, freed_blocks : int
        With all that the line calls.
    self_allocated_bytes, self_freed_bytes : int
        Without callees that are profiled too.
    peak_bytes : int
        The most that there was above what there was as the line began, in any execution.
    self_peak_bytes : int
        The same, not looked at while callees run that are profiled too.
    """

    allocated_bytes: int
    allocated_blocks: int
    freed_bytes: int
    freed_blocks: int
    self_allocated_bytes: int
    self_freed_bytes: int
    peak_bytes: int
    self_peak_bytes: int

    @property
    def net_bytes(self) -> int:
        """What is left of what it allocated."""
        return self.allocated_bytes - self.freed_bytes

    @property
    def net_blocks(self) -> int:
        """How many blocks are left of those that it allocated."""
        return self.allocated_blocks - self.freed_blocks

    def __add__(self, other: LineMemory) -> LineMemory:
        """Give the sum of two measurements of one line; of the peaks, the higher one."""
        return LineMemory(
            self.allocated_bytes + other.allocated_bytes,
            self.allocated_blocks + other.allocated_blocks,
            self.freed_bytes + other.freed_bytes,
            self.freed_blocks + other.freed_blocks,
            self.self_allocated_bytes + other.self_allocated_bytes,
            self.self_freed_bytes + other.self_freed_bytes,
            max(self.peak_bytes, other.peak_bytes),
            max(self.self_peak_bytes, other.self_peak_bytes),
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line that ran: the first line of a statement.

    Attributes
    ----------
    number : int
        In the file, from 1.
    hits : int
        How often the statement was executed.
    total_ns : float
        Time with all that it calls; under recursion that of the outermost call only.
    self_ns : float
        The same without the time of callees that are profiled too.
    awaited_ns : float
        How long the function was suspended there, in `await` or `yield`; not part of the
        other times.
    raw_total_ns, raw_self_ns : float
        As the clock gave them, with what the probes take.
    memory : LineMemory or None
        None where memory was not measured.
    """

    number: int
    hits: int
    total_ns: float
    self_ns: float
    awaited_ns: float
    raw_total_ns: float
    raw_self_ns: float
    memory: LineMemory | None = None

    def __add__(self, other: Line) -> Line:
        """Give the sum of two measurements of one line."""
        return Line(
            self.number,
            self.hits + other.hits,
            self.total_ns + other.total_ns,
            self.self_ns + other.self_ns,
            self.awaited_ns + other.awaited_ns,
            self.raw_total_ns + other.raw_total_ns,
            self.raw_self_ns + other.raw_self_ns,
            self.memory + other.memory
            if self.memory is not None and other.memory is not None
            else self.memory or other.memory,
        )


Lines = tuple[Line, ...]


def merged(tables: Iterable[Lines]) -> Lines:
    """Add tables of lines up, line by line."""
    sums: dict[int, Line] = {}
    for table in tables:
        for line in table:
            sums[line.number] = (
                sums[line.number] + line if line.number in sums else line
            )
    return tuple(sums[number] for number in sorted(sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function, or the code of a cell.

    Attributes
    ----------
    name : str
        Qualified with its class or outer function.
    file : str
        Where it was defined.
    first : int
        Its first line there, decorators included.
    how : str
        How it was measured: ``'probes'`` in its code; ``'monitoring'`` or ``'trace'``,
        the interpreter's events, for code that cannot be changed; ``'probes+...'`` when
        it was running already as the profile began; ``'not measured'``.
    source : tuple of str
        Its text, line by line from `first`; empty when that is not known.
    note : str
        Why the text is missing or may be wrong; empty when neither is the case.
    lines : tuple of Line
        The lines that ran, in all threads together.
    threads : tuple of tuple of Line
        The same for each thread of the profile; empty when there was only one.
    """

    name: str
    file: str
    first: int
    how: str
    source: tuple[str, ...]
    note: str
    lines: Lines
    threads: tuple[Lines, ...]

    @property
    def key(self) -> tuple[str, int, str]:
        """What line_profiler knows it by."""
        return self.file, self.first, self.name

    @property
    def hits(self) -> int:
        """How many lines ran, each time counted."""
        return sum(line.hits for line in self.lines)

    @property
    def total_ns(self) -> float:
        """Time of its lines with all that they call."""
        return fsum(line.total_ns for line in self.lines)

    @property
    def self_ns(self) -> float:
        """Time of its lines without callees that are profiled too."""
        return fsum(line.self_ns for line in self.lines)

    @property
    def awaited_ns(self) -> float:
        """How long it was suspended."""
        return fsum(line.awaited_ns for line in self.lines)

    @property
    def has_memory(self) -> bool:
        """Whether memory was measured."""
        return any(line.memory is not None for line in self.lines)

    def text(self, number: int) -> str:
        """Give the text of a line by its number in the file."""
        index = number - self.first
        return self.source[index] if 0 <= index < len(self.source) else ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LineResult(Result):
    """Where the time went, line by line.

    Attributes
    ----------
    statement : str
        The code that was run, as the user wrote it; empty when none is known.
    functions : tuple of Function
        Those that were profiled, in the order in which they were named or found.
    threads : tuple of str
        Names of the threads that ran any of them.
    wall_ns : int
        How long the profile was on.
    costs_ns : tuple of float
        What a probe takes, which was subtracted: for a line that starts, for a frame that
        is entered or left, for a line that goes on.
    unit : float or None
        Seconds in which the text gives times; without it, what fits.
    skip_zero : bool
        Whether functions that were not called are left out of the views.
    sort : str
        The order of the functions: ``''`` as they are, ``'time'``, ``'self'``, ``'hits'``
        or ``'name'``.
    top : int
        How many functions the views show; 0 for all.
    by_thread : bool
        Whether the views show every thread by itself as well.
    dropped : int
        Calls that were not recorded, for lack of memory.
    problems : tuple of str
        What could not be profiled, and why.
    ended_by : str
        The exception that ended the code early; empty when none did.
    python : str
        Version of the interpreter.
    created : str
        When, ISO 8601, UTC.
    processes : tuple of Process
        The child processes that were seen, if they were followed; the engines, if it is
        from them.
    other_programs : int
        Processes of other programs that were seen; they cannot be profiled.
    process_of : tuple of str
        For each of `threads` the label of the child process that it is of, ``''`` for one
        of the profiled process; empty when all are of that.

    Notes
    -----
    Counts are exact. The clock is read once a line; what a probe takes was measured on
    code of known cost and subtracted, also where callees were profiled.

    See Also
    --------
    line_profiler.LineStats
    """

    kind: ClassVar[str] = "lprun"

    statement: str
    functions: tuple[Function, ...]
    threads: tuple[str, ...]
    wall_ns: int
    costs_ns: tuple[float, ...]
    unit: float | None
    skip_zero: bool
    sort: str
    top: int
    by_thread: bool
    dropped: int
    problems: tuple[str, ...]
    ended_by: str
    python: str
    created: str
    processes: tuple[Process, ...] = ()
    other_programs: int = 0
    process_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse figures of threads that are not there."""
        if len(self.process_of) not in (0, len(self.threads)):
            raise ValueError("every thread must have its process, or none")
        for function in self.functions:
            if len(function.threads) not in (0, len(self.threads)):
                raise ValueError("every function must have all threads, or none")

    @property
    def self_ns(self) -> float:
        """Time of all lines, each moment counted once."""
        return fsum(function.self_ns for function in self.functions)

    @property
    def hits(self) -> int:
        """How many lines ran in all, each time counted."""
        return sum(function.hits for function in self.functions)

    @property
    def is_remote(self) -> bool:
        """Whether engines ran the code, and this process did not."""
        return any(process.is_remote for process in self.processes)

    def by_process(self) -> dict[str, LineResult]:
        """Give the part of each process, by its label; that of the profiled one is ``''``.

        Where engines ran the code, there is no such part.

        Returns
        -------
        dict of str to LineResult
            Together they are the whole.
        """
        places: dict[str, list[int]] = {} if self.is_remote else {"": []}
        for process in self.processes:
            if process.is_remote and process.snapshots:
                places[process.label] = []
        for place, label in enumerate(self.process_of or ("",) * len(self.threads)):
            places.setdefault(label, []).append(place)
        return {
            label: replace(
                self,
                functions=tuple(
                    part
                    for each in self.functions
                    if (part := _of_threads(each, chosen)).lines or not label
                ),
                threads=tuple(self.threads[place] for place in chosen),
                processes=(),
                other_programs=0,
                process_of=(),
            )
            for label, chosen in places.items()
        }

    def heat_of(
        self, file: str, line: int, qualname: str
    ) -> tuple[float, dict[int, float]]:
        """Say how hot a function is, for the view of its bytecode.

        Returns
        -------
        share : float
            Of the own time of all functions, that of this one.
        lines : dict of int to float
            Of the function's own time, the share of each line.
        """
        for function in self.functions:
            own = function.self_ns
            if function.key == (file, line, qualname) and own > 0:
                whole = fsum(each.self_ns for each in self.functions)
                shares = {each.number: each.self_ns / own for each in function.lines}
                return own / whole, shares
        return 0.0, {}

    def shown(self) -> tuple[Function, ...]:
        """Give the functions that the views show, in their order."""
        functions = [
            function
            for function in self.functions
            if function.hits or not self.skip_zero
        ]
        if self.sort:
            functions.sort(key=_ORDERS[self.sort])
        return tuple(functions[: self.top or None])

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line of each function."""
        return [
            {
                "function": function.name,
                "file": function.file,
                "line": line.number,
                **_memory_record(line.memory),
                "hits": line.hits,
                "total_ns": line.total_ns,
                "self_ns": line.self_ns,
                "awaited_ns": line.awaited_ns,
                "raw_total_ns": line.raw_total_ns,
                "raw_self_ns": line.raw_self_ns,
                "source": function.text(line.number),
            }
            for function in self.functions
            for line in function.lines
        ]

    def stats(self, *, raw: bool = False) -> LineStats:
        """Give the profile as line_profiler's statistics, which ``.lprof`` files hold.

        Parameters
        ----------
        raw : bool
            With the times as the clock gave them.
        """
        from .stats import LineStats

        return LineStats.of_result(self, raw=raw)

    def dump_stats(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.lprof`` file, which line_profiler reads."""
        self.stats().to_file(path)

    def diff(self, later: LineResult) -> LineDifference:
        """Compare with a later run: what became faster or slower, line by line.

        Lines are paired by their text, functions by their name.
        """
        from .difference import compare

        return compare(self, later)

    def __add__(self, other: LineResult) -> LineResult:
        """Merge two runs: counts and times of the same functions are added up.

        A function that was edited in between is not the same: both stay.
        """
        if not isinstance(other, LineResult):
            return NotImplemented
        names = tuple(dict.fromkeys(self.threads + other.threads))
        ours = [with_threads(each, self.threads, names) for each in self.functions]
        theirs = [with_threads(each, other.threads, names) for each in other.functions]
        process_of = {
            name: label
            for run in (other, self)
            for name, label in zip(run.threads, run.process_of, strict=False)
        }
        found: dict[tuple[Any, ...], Function] = {}
        for each in [*ours, *theirs]:
            key = (*each.key, each.source)
            found[key] = summed(found[key], each) if key in found else each
        return replace(
            self,
            functions=tuple(found.values()),
            threads=names,
            wall_ns=self.wall_ns + other.wall_ns,
            statement=self.statement
            if self.statement == other.statement
            else "\n".join(filter(None, (self.statement, other.statement))),
            dropped=self.dropped + other.dropped,
            problems=tuple(dict.fromkeys(self.problems + other.problems)),
            ended_by=self.ended_by or other.ended_by,
            created=max(self.created, other.created),
            processes=self.processes + other.processes,
            other_programs=self.other_programs + other.other_programs,
            process_of=tuple(process_of.get(name, "") for name in names)
            if process_of
            else (),
        )


def _memory_record(memory: LineMemory | None) -> dict[str, Any]:
    if memory is None:
        return {}
    return {
        "net_bytes": memory.net_bytes,
        "allocated_bytes": memory.allocated_bytes,
        "allocated_blocks": memory.allocated_blocks,
        "freed_bytes": memory.freed_bytes,
        "peak_bytes": memory.peak_bytes,
    }


_ORDERS: dict[str, Any] = {
    "time": lambda function: -function.total_ns,
    "self": lambda function: -function.self_ns,
    "hits": lambda function: -function.hits,
    "name": lambda function: (function.name, function.file, function.first),
}


def with_threads(
    function: Function, own: tuple[str, ...], names: tuple[str, ...]
) -> Function:
    """Give a function a table for each of `names`, of which `own` are its run's."""
    if len(names) < 2:
        return function
    tables = function.threads or (function.lines,)
    by_name: dict[str, list[Lines]] = {}
    for name, table in zip(own, tables, strict=False):
        by_name.setdefault(name, []).append(table)
    threads = tuple(merged(by_name.get(name, ())) for name in names)
    return replace(function, threads=threads)


def _of_threads(function: Function, places: list[int]) -> Function:
    """Give a function with what some of the threads did, by their places."""
    tables = function.threads or (function.lines,)
    chosen = tuple(tables[place] for place in places if place < len(tables))
    return replace(
        function, lines=merged(chosen), threads=chosen if len(chosen) > 1 else ()
    )


def summed(one: Function, other: Function) -> Function:
    """Add up what one function did in two runs, which have the same threads."""
    threads = tuple(
        merged(pair) for pair in zip(one.threads, other.threads, strict=True)
    )
    how = "+".join(dict.fromkeys(f"{one.how}+{other.how}".split("+")))
    lines = merged((one.lines, other.lines))
    return replace(one, lines=lines, threads=threads, how=how)
