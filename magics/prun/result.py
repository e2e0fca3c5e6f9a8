"""What a profile gives: the exact tree of calls of each thread.

Plain data; every time is in nanoseconds. Times are corrected for what recording costs,
except where a name says raw.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..live.processes import Process
from ..results import Result
from .sampled import Sampling

if TYPE_CHECKING:
    import pstats

    from .difference import ProfileDiff

__all__ = ["Function", "ProfileResult", "Thread"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that was called.

    Attributes
    ----------
    file : str
        Full path of its source; ``'~'`` for a function in C.
    line : int
        Where it begins; 0 for a function in C.
    name : str
        As pstats names it; ``'<built-in method builtins.len>'`` and the like in C.
    qualname : str
        With its class or outer function.
    """

    file: str
    line: int
    name: str
    qualname: str

    @property
    def label(self) -> tuple[str, int, str]:
        """What pstats knows it by."""
        return self.file, self.line, self.name

    @property
    def native(self) -> bool:
        """Whether it is written in C."""
        return self.file == "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The tree of one thread, as columns: entry i of each belongs to node i.

    Attributes
    ----------
    name : str
        Of the thread, as far as it was known.
    ident : int
        As `threading.get_ident` gives it.
    parent : tuple of int
        The node that called it; -1 for one that was called from outside of the profile.
        A parent comes before its children.
    function : tuple of int
        Index into the profile's functions.
    calls : tuple of int
        Calls that began.
    resumes : tuple of int
        Times that a generator or coroutine went on after a yield or await.
    inclusive_ns, self_ns : tuple of float
        Time with and without callees, ns, corrected.
    raw_inclusive_ns, raw_self_ns : tuple of float
        The same as the clock gave it, ns.
    allocated_bytes, allocated_blocks : tuple of int
        What each node asked Python's allocators for itself, callees excluded; freed or
        not. Empty when that was not counted.
    crowded : int
        Calls whose place in the tree is lost because it was full; their counts and own
        times are kept by function.
    dropped : int
        Calls that could not be recorded.
    process : str
        The child process that it belongs to, as `Process.label` names it; empty for the
        profiled one.
    """

    name: str
    ident: int
    parent: tuple[int, ...]
    function: tuple[int, ...]
    calls: tuple[int, ...]
    resumes: tuple[int, ...]
    inclusive_ns: tuple[float, ...]
    self_ns: tuple[float, ...]
    raw_inclusive_ns: tuple[float, ...]
    raw_self_ns: tuple[float, ...]
    allocated_bytes: tuple[int, ...] = ()
    allocated_blocks: tuple[int, ...] = ()
    crowded: int
    dropped: int
    process: str = ""

    def __post_init__(self) -> None:
        """Refuse columns that do not make a tree."""
        columns: tuple[tuple[float, ...], ...] = (
            self.function,
            self.calls,
            self.resumes,
            self.inclusive_ns,
            self.self_ns,
            self.raw_inclusive_ns,
            self.raw_self_ns,
        )
        optional = (self.allocated_bytes, self.allocated_blocks)
        columns += tuple(column for column in optional if column)
        if any(len(column) != len(self.parent) for column in columns):
            raise ValueError("the columns of a tree must be equally long")
        if any(not -1 <= parent < index for index, parent in enumerate(self.parent)):
            raise ValueError("a parent must come before its children")

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def label(self) -> str:
        """Its name, with that of the process when it is not of the profiled one."""
        return f"{self.process}, {self.name}" if self.process else self.name

    @property
    def total_ns(self) -> float:
        """Time of all calls from outside of the profile."""
        return sum(
            time
            for parent, time in zip(self.parent, self.inclusive_ns, strict=True)
            if parent < 0
        )

    def children(self) -> list[list[int]]:
        """Give each node's children, and at -1, the last place, those of none."""
        found: list[list[int]] = [[] for _ in range(len(self) + 1)]
        for index, parent in enumerate(self.parent):
            found[parent].append(index)
        return found

    def walk(self) -> Iterator[tuple[int, bool]]:
        """Go through the tree: each node when it is entered (True) and left (False)."""
        children = self.children()
        ahead = [(index, True) for index in reversed(children[-1])]
        while ahead:
            index, entered = ahead.pop()
            yield index, entered
            if entered:
                ahead.append((index, False))
                ahead.extend((child, True) for child in reversed(children[index]))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProfileResult(Result):
    """Who called whom, how often, and how long it took.

    Attributes
    ----------
    statement : str
        The code as the user wrote it; empty when none is known.
    functions : tuple of Function
        Every function that was called.
    threads : tuple of Thread
        The threads that called any: the main one, then in the order of their first call.
    wall_ns : int
        How long the recording was on, ns.
    costs_ns : tuple of float
        What was subtracted, ns an event pair: inside and outside of a Python call, of a C
        call and of a resumption, and for an event without a node; all 0 when nothing was.
    pace_ratio : float
        What the costs, as measured before, were multiplied by, because the processor was
        slower or faster during the recording; 1 when that is not known.
    builtins : bool
        Whether functions in C were recorded.
    sort, limits : tuple of str
        How the table is sorted and cut, as ``%prun -s`` and ``-l`` take it.
    focus, ignore, hide : tuple of str
        Regular expressions of which functions to show; see `select`.
    by_thread : bool
        Whether each thread is shown by itself.
    fold : bool
        Whether the pictures draw recursion as one call.
    left_out : tuple of str
        Threads that are not in it: those of the notebook's kernel.
    unseen : int
        Calls of threads that could not be recorded at all.
    displaced : bool
        Whether another profiler took over in some thread (CPython 3.11 only).
    interrupted : bool
        Whether an exception or Ctrl-C ended the code early.
    python : str
        Version of the interpreter.
    created : str
        When, ISO 8601, UTC.
    sampling : Sampling, optional
        How the profile was sampled; None when calls were counted. Where it was sampled,
        calls are samples that met the function, and times are shares of the time.
    processes : tuple of Process
        The child processes that were seen, if they were followed; the engines or workers,
        if it is from them. `by_process` takes the profile apart.
    other_programs : int
        Processes of other programs that were seen; they cannot be profiled.

    Notes
    -----
    Counts are exact. The clock is read once an event; what recording costs between two
    readings was measured on code of known cost and subtracted, per event. That was at
    another moment, and a processor is not always equally fast: a fixed piece of work is
    timed then, and once a ms during the recording, and the costs go with it.

    See Also
    --------
    cProfile, pstats, IPython's ``%prun -r``
    """

    kind: ClassVar[str] = "prun"

    statement: str
    functions: tuple[Function, ...]
    threads: tuple[Thread, ...]
    wall_ns: int
    costs_ns: tuple[float, ...]
    builtins: bool
    sort: tuple[str, ...]
    limits: tuple[str, ...]
    focus: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    by_thread: bool = False
    fold: bool = False
    left_out: tuple[str, ...] = ()
    unseen: int
    displaced: bool
    interrupted: bool
    python: str
    created: str
    sampling: Sampling | None = None
    processes: tuple[Process, ...] = ()
    other_programs: int = 0
    pace_ratio: float = 1.0

    def __post_init__(self) -> None:
        """Refuse nodes of functions that are not there."""
        known = range(len(self.functions))
        for thread in self.threads:
            if any(function not in known for function in thread.function):
                raise ValueError("every node must name one of the functions")

    def by_process(self) -> dict[str, ProfileResult]:
        """Give the part of each process, by its label; that of the profiled one is ``''``.

        Where engines or workers ran the code, there is no such part.

        Returns
        -------
        dict of str to ProfileResult
            Together they are the whole.
        """
        parts: dict[str, list[Thread]] = {} if self.is_remote else {"": []}
        for process in self.processes:
            if process.is_remote and process.snapshots:
                parts[process.label] = []
        for thread in self.threads:
            parts.setdefault(thread.process, []).append(thread)
        return {
            label: dataclasses.replace(self, threads=tuple(threads), processes=())
            for label, threads in parts.items()
        }

    @property
    def is_remote(self) -> bool:
        """Whether engines or workers ran the code, and this process did not."""
        return any(process.is_remote for process in self.processes)

    @property
    def calls(self) -> int:
        """Calls in all, resumptions of generators and coroutines not counted."""
        return sum(sum(thread.calls) for thread in self.threads)

    @property
    def total_ns(self) -> float:
        """Time of all threads together, corrected."""
        return sum(thread.total_ns for thread in self.threads)

    @property
    def memory(self) -> bool:
        """Whether allocations were counted."""
        return any(thread.allocated_bytes for thread in self.threads)

    @property
    def overhead_ns(self) -> float:
        """What was subtracted in all."""
        return sum(
            sum(thread.raw_self_ns) - sum(thread.self_ns) for thread in self.threads
        )

    def select(
        self,
        *,
        focus: Sequence[str] = (),
        ignore: Sequence[str] = (),
        hide: Sequence[str] = (),
    ) -> ProfileResult:
        """Choose what is shown and written; nothing is forgotten.

        Parameters
        ----------
        focus : sequence of str
            Only calls of functions that one of these regular expressions is found in,
            what they call, and the way to them, which has no own time then.
        ignore : sequence of str
            No calls of these functions, nor what they call.
        hide : sequence of str
            Fold these functions into their callers: their own time is the caller's, what
            they call is called by it. Without a caller their time is that of ``<hidden>``.

        Returns
        -------
        ProfileResult
            This profile with other choices. They are looked for in
            ``/full/path.py:7(Class.method)`` and ``~:0(<built-in method builtins.len>)``.
        """
        return replace(self, focus=tuple(focus), ignore=tuple(ignore), hide=tuple(hide))

    def selected(self) -> ProfileResult:
        """Give the profile with its choices applied: trees of what is shown."""
        from .selection import select

        return select(self)

    def diff(self, other: ProfileResult) -> ProfileDiff:
        """Compare a later profile with this one, function by function."""
        from .difference import difference

        return difference(self, other)

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each node: its thread, its function and its figures."""
        rows = []
        shown = self.selected()
        for thread in shown.threads:
            for index, function in enumerate(thread.function):
                called = shown.functions[function]
                rows.append(
                    {
                        "thread": thread.name,
                        "node": index,
                        "parent": thread.parent[index],
                        "function": called.qualname,
                        "file": called.file,
                        "line": called.line,
                        "calls": thread.calls[index],
                        "resumes": thread.resumes[index],
                        "inclusive_ns": thread.inclusive_ns[index],
                        "self_ns": thread.self_ns[index],
                    }
                )
                if thread.allocated_bytes:
                    rows[-1]["allocated_bytes"] = thread.allocated_bytes[index]
                    rows[-1]["allocated_blocks"] = thread.allocated_blocks[index]
        return rows

    def heat_of(
        self, file: str, line: int, qualname: str
    ) -> tuple[float, dict[int, float]]:
        """Say how hot a function is, for the view of its bytecode.

        Returns
        -------
        share : float
            Of the time of all threads, what the function took itself.
        lines : dict of int to float
            Of its samples, the share of each line; empty when calls were counted.
        """
        wanted = {
            index
            for index, function in enumerate(self.functions)
            if (function.file, function.line, function.qualname)
            == (file, line, qualname)
        }
        own = sum(
            time
            for thread in self.threads
            for index, time in zip(thread.function, thread.self_ns, strict=True)
            if index in wanted
        )
        lines = {
            each.line: each.samples
            for each in (self.sampling.lines if self.sampling else ())
            if (each.file, each.qualname) == (file, qualname)
        }
        samples = sum(lines.values())
        return (
            own / self.total_ns if own else 0.0,
            {number: count / samples for number, count in lines.items()},
        )

    def stats(self, *, raw: bool = False) -> pstats.Stats:
        """Give the profile as `pstats.Stats`, for the tools that read those.

        Parameters
        ----------
        raw : bool
            With the times as the clock gave them.

        Notes
        -----
        pstats counts every resumption of a generator as a call, and so does this.
        """
        from .pairs import as_stats, rows

        return as_stats(rows(self.selected(), raw=raw))

    def dump_stats(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.prof`` file, which pstats, SnakeViz and gprof2dot read."""
        self.stats().dump_stats(os.fspath(path))

    def export(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the profile for another tool.

        Parameters
        ----------
        path : str or path-like
            Where to write; replaced in one step.
        format : str, optional
            ``'collapsed'`` (flamegraph.pl and many others), ``'speedscope'``,
            ``'callgrind'`` (KCachegrind), ``'chrome'`` (Perfetto) or ``'pstats'``; without
            it, what the name's ending says: ``.txt`` or ``.collapsed``,
            ``.speedscope.json``, ``.callgrind`` or a name that begins with
            ``callgrind.out``, ``.json``, ``.prof``.
        """
        from .exports import export

        export(self.selected(), path, format)
