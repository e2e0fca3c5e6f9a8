"""Profile calls: the exact tree of every thread, with cProfile's interface.

Examples
--------
>>> from nbprobe.prun import Profile
>>> with Profile() as profile:
...     sorted([3, 1, 2])
[1, 2, 3]
>>> profile.result().calls
1
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import CodeType
from typing import Any, Self

from .._core import Calls, pace_ratio
from ..live import LIVE
from .calibration import Costs
from .calibration import costs as measured_costs
from .difference import Change, ProfileDiff
from .imported import PairProfile, from_stats, load_stats
from .pairs import Pair, summed
from .result import Function, ProfileResult, Thread

__all__ = [
    "Change",
    "Function",
    "PairProfile",
    "Profile",
    "ProfileDiff",
    "ProfileResult",
    "Thread",
    "from_stats",
    "label",
    "load_stats",
    "main",
    "run",
    "runctx",
]

_SORT = ("tottime",)


class Profile(Calls):
    """A recording of calls that is used as `cProfile.Profile` is.

    Parameters
    ----------
    timer : callable, optional
        The clock to read; without one it is the processor's counter.
    timeunit : float
        Seconds a tick of `timer`; 0 when it gives seconds.
    subcalls : bool
        Accepted for cProfile's sake: the tree always has them.
    builtins : bool
        Record functions in C too.
    room : int
        Nodes that the trees may have in all: about 120 bytes each. Calls on further paths
        are counted by function only, and the result says how many. A stack may be
        1,048,576 calls deep.
    memory : bool
        Count what every node allocates with Python's allocators: 5 ns an allocation more.
    tasks : bool
        Give each of asyncio's tasks a node of its own above its coroutine. Not with a
        timer of one's own.

    Notes
    -----
    Every thread of the process is recorded. Other profilers, coverage and debuggers may be
    active, before and meanwhile.

    See Also
    --------
    cProfile.Profile
    """

    stats: dict[Any, Any]

    def result(
        self,
        statement: str = "",
        *,
        sort: tuple[str, ...] = _SORT,
        limits: tuple[str, ...] = (),
        correct: bool = True,
        costs: Costs | None = None,
        interrupted: bool = False,
        wall_ns: int | None = None,
        wanted: Callable[[str, int], bool] | None = None,
    ) -> ProfileResult:
        """Give what was recorded until now.

        Parameters
        ----------
        statement : str
            The code, for display.
        sort, limits : tuple of str
            How the table is sorted and cut.
        correct : bool
            Subtract what recording costs. Not done with a timer of one's own.
        costs : Costs, optional
            What it costs; measured here when it is needed first, 0.1 s.
        interrupted : bool
            Whether the code was ended early.
        wall_ns : int, optional
            How long the recording was on; without it, the longest thread's time.
        wanted : callable, optional
            Says of a thread, by its name and ident, whether it is to be there.
        """
        subtract, slower = Costs(), 1.0
        builtins = self.builtins
        if correct and self.timer is None:
            measured = measured_costs(builtins) if costs is None else costs
            subtract = measured.at(self.pace_ns)
            slower = pace_ratio(self.pace_ns, measured.pace)
        main = threading.main_thread().ident
        called, recorded = self.table(subtract.of_events)
        names = _names_of_threads([ident for ident, _, _ in recorded])
        functions = [Function(*each) for each in called]
        threads = []
        for number, (ident, nodes, (crowded, dropped, _, _)) in enumerate(recorded):
            # What shows the progress of a magic is no part of what it profiles.
            if len(nodes) == 1 or names.get(ident) == LIVE:
                continue
            name = names.get(ident, f"thread {number + 1}")
            if wanted is not None and not wanted(name, ident):
                continue
            if any(node[1] == -2 for node in nodes):
                functions.append(_CROWD)
            threads.append(
                _thread(
                    name,
                    ident,
                    nodes[1:],
                    len(functions) - 1,
                    (crowded, dropped),
                    self.memory,
                )
            )
        threads.sort(key=lambda thread: thread.ident != main)
        if wall_ns is None:
            wall_ns = round(max((sum(t.raw_self_ns) for t in threads), default=0.0))
        return ProfileResult(
            statement=statement,
            functions=tuple(functions),
            threads=tuple(threads),
            wall_ns=wall_ns,
            costs_ns=subtract.of_events,
            builtins=builtins,
            sort=sort,
            limits=limits,
            unseen=self.unseen,
            displaced=self.displaced,
            interrupted=interrupted,
            python=platform.python_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pace_ratio=slower,
        )

    def run(self, cmd: str) -> Self:
        """Profile a statement in the namespace of ``__main__``."""
        import __main__

        return self.runctx(cmd, vars(__main__), vars(__main__))

    def runctx(self, cmd: str | CodeType, globals: dict[str, Any], locals: Any) -> Self:
        """Profile a statement in the given namespaces."""
        code = compile(cmd, "<string>", "exec") if isinstance(cmd, str) else cmd
        self.runcode(code, globals, locals)
        return self

    def getstats(self) -> list[Any]:
        """Give what `cProfile.Profile.getstats` gives: its own entries, times in seconds.

        An entry has `code` (a code object, or the name of a function in C), `callcount`,
        `reccallcount`, `totaltime`, `inlinetime` and `calls`, what it called.
        """
        from _lsprof import (
            profiler_entry,
            profiler_subentry,
        )

        result = self.result()
        codes: list[Any] = self.codes()
        # What stands for calls without a place in a full tree has no code.
        codes += [function.name for function in result.functions[len(codes) :]]
        table = summed(result, range(len(codes)))
        called: dict[int, list[Any]] = {place: [] for place in table}
        for place, row in table.items():
            for caller, pair in row.callers.items():
                figures = (codes[place], *_figures(pair))
                called[caller].append(profiler_subentry(figures))
        return [
            profiler_entry((codes[place], *_figures(row), called[place] or None))
            for place, row in table.items()
        ]

    def create_stats(self) -> None:
        """Stop, and make `stats` as cProfile does: pstats reads it from there."""
        self.disable()
        self.stats = self.result().stats().stats  # type: ignore[attr-defined]

    def snapshot_stats(self) -> None:
        """Make `stats` of what was recorded until now."""
        self.stats = self.result().stats().stats  # type: ignore[attr-defined]

    def print_stats(self, sort: str | int | tuple[str, ...] = -1) -> None:
        """Stop, and print pstats' table."""
        self.disable()
        keys = sort if isinstance(sort, tuple) else (sort,)
        self.result().stats().strip_dirs().sort_stats(*keys).print_stats()

    def dump_stats(self, file: str | os.PathLike[str]) -> None:
        """Stop, and write a ``.prof`` file."""
        self.disable()
        self.result().dump_stats(file)


def _figures(pair: Pair) -> tuple[int, int, float, float]:
    """Give calls, those within another, time with callees and own time, as cProfile does."""
    nested = pair.entries - pair.primitive_entries
    return pair.entries, nested, pair.total_ns / 1e9, pair.self_ns / 1e9


def _names_of_threads(idents: list[int]) -> dict[int, str]:
    """Find the names of threads, also of those that have ended and are still referred to.

    The system gives the number of an ended thread to another: then it has no name.
    """
    # threading keeps weak references to all of them, for the children of fork().
    known = [*getattr(threading, "_dangling", ()), *threading.enumerate()]
    threads = {id(thread): thread for thread in known}.values()
    names: dict[int, str] = {}
    for ident in idents:
        found = [thread for thread in threads if thread.ident == ident]
        alive = [thread for thread in found if thread.is_alive()]
        if idents.count(ident) == 1 and len(alive or found) == 1:
            names[ident] = (alive or found)[0].name
    return names


_CROWD = Function("~", 0, "<calls without a place in the full tree>", "(tree is full)")


def _thread(
    name: str,
    ident: int,
    nodes: list[Any],
    crowd: int,
    loss: tuple[int, int],
    memory: bool,
) -> Thread:
    """Turn the nodes below the root into columns."""
    parent, function, calls, resumes, _, raw_total, raw_self, total, own, *counted = (
        zip(*nodes, strict=True)
    )
    allocated_bytes, allocated_blocks = counted if memory else ((), ())
    return Thread(
        name=name,
        ident=ident,
        parent=tuple(index - 1 for index in parent),
        function=tuple(index if index >= 0 else crowd for index in function),
        calls=calls,
        resumes=resumes,
        inclusive_ns=total,
        self_ns=own,
        raw_inclusive_ns=raw_total,
        raw_self_ns=raw_self,
        allocated_bytes=allocated_bytes,
        allocated_blocks=allocated_blocks,
        crowded=loss[0],
        dropped=loss[1],
    )


def label(code: str | CodeType) -> tuple[str, int, str]:
    """Give what pstats knows a function by, as `cProfile.label` does."""
    if isinstance(code, str):
        return "~", 0, code
    return code.co_filename, code.co_firstlineno, code.co_name


def run(statement: str, filename: str | None = None, sort: str | int = -1) -> None:
    """Profile a statement in the namespace of ``__main__``, as `cProfile.run` does."""
    import __main__

    runctx(statement, vars(__main__), vars(__main__), filename, sort)


def runctx(
    statement: str,
    globals: dict[str, Any],
    locals: Any,
    filename: str | None = None,
    sort: str | int = -1,
) -> None:
    """Profile a statement in the given namespaces, as `cProfile.runctx` does.

    Prints pstats' table, or writes a ``.prof`` file when `filename` is given; also when
    the statement ends in an exception, which is passed on.
    """
    recording = Profile()
    try:
        recording.runctx(statement, globals, locals)
    finally:
        if filename is None:
            recording.print_stats(sort)
        else:
            recording.dump_stats(filename)


def main() -> int:
    """Run the command line of ``python -m cProfile``, and give its exit code."""
    from ..commands import prun as command

    return command.main(sys.argv[1:])
