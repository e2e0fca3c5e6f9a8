"""Measure what code does to memory: run it as often as asked, and no more."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._core import (
    ALLOCATIONS_EXACT,
    ALLOCATIONS_SITES,
    Allocations,
    ResidentPeak,
    ResidentSampler,
    leave_out_thread,
    process_tree,
    resident,
)
from ..code import Code
from ..execution import runner
from ..graphs.labels import long_name
from ..kernel import LeftOut
from ..live.following import following
from .followed import CHILDREN_INTERVAL_S, child_runs, new_children
from .leaks import survivors
from .result import Kind, MemoryResult, Run, Survivor
from .sites import FRAMES, Sites

if TYPE_CHECKING:
    from ..live.children import Children

__all__ = ["Settings", "measure_call", "measure_code"]

# Seconds between two readings for the course.
_INTERVAL_S = 0.001
_SAMPLES = 400

_MOST_KINDS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure.

    Attributes
    ----------
    repeat : int
        How often to run the code.
    timeout_s : float
        Begin no further run after that; 0 for no such limit.
    interval_s : float
        Between two readings for the course of resident memory; 0 to choose.
    children : bool
        Add up all processes that the code starts.
    native : bool
        Count what libraries allocate themselves.
    leaks : bool
        Run once more, and find what every run leaves behind.
    """

    repeat: int = 1
    timeout_s: float = 0.0
    interval_s: float = 0.0
    children: bool = False
    native: bool = False
    leaks: bool = False

    @property
    def runs(self) -> int:
        """How often the code is run."""
        return max(self.repeat, 2) if self.leaks else self.repeat


def measure_code(
    code: Code,
    *,
    globals: dict[str, Any],
    locals: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    setup: str = "",
    on_partial: Callable[[MemoryResult], None] | None = None,
) -> MemoryResult:
    """Measure a piece of code.

    Parameters
    ----------
    code : Code
        It may await.
    globals : dict
        The names that the code sees and, without `locals`, sets.
    locals : mapping, optional
        Local names of a caller.
    setup : str
        What ran before, for display.
    on_partial : callable, optional
        Is given what was measured until an exception ended it.

    Raises
    ------
    BaseException
        Whatever the code raises.
    """
    measurement = _Measurement(settings or Settings())
    # By itself, because it is compiled here and its garbage is ours.
    prepared = [
        runner(measurement, code, globals=globals, locals=locals)
        for _ in range(measurement.settings.runs)
    ]
    return measurement.all(prepared, code.source, setup, on_partial)


def measure_call(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    settings: Settings | None = None,
) -> MemoryResult:
    """Measure calls of a function."""
    measurement = _Measurement(settings or Settings())
    if keywords:

        def run() -> object:
            return measurement.runcall(lambda: func(*args, **keywords))

    else:

        def run() -> object:
            return measurement.runcall(func, *args)

    name = getattr(func, "__qualname__", repr(func))
    prepared = [run] * measurement.settings.runs
    return measurement.all(prepared, f"{name}(...)", "", None)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one run has left in the instruments."""

    counted: Allocations
    peak: ResidentPeak
    resident: tuple[int, int, int]
    wall_ns: int
    collections: int
    is_code: bool
    kept: tuple[Kind, ...] = ()


class _Measurement:
    """The runs of one piece of code. It is a recording, as `runner` takes it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # What lies in the blocks of this one can be looked up after a run: the other one
        # has been stopped by then, so that looking is not counted.
        self._alive = [Allocations(ALLOCATIONS_EXACT) for _ in range(settings.runs)]
        self._counted = self._new_counts()
        self._peak = ResidentPeak()
        interval_s = settings.interval_s or (
            CHILDREN_INTERVAL_S if settings.children else _INTERVAL_S
        )
        self._sampler = ResidentSampler(
            interval_s, _SAMPLES, children=settings.children
        )
        self._runs: list[Run] = []
        self._best: tuple[int, Sites, tuple[Kind, ...]] | None = None
        self._survivors: tuple[Survivor, ...] = ()
        self._notes: list[str] = []
        self._is_code = False
        self._children: Children | None = None
        if settings.children:
            self._children = new_children(native=settings.native)

    def _abandon(self) -> None:
        """In a fork, which counts for itself: what runs here is the parent's."""
        for counted in (self._counted, *self._alive):
            counted.stop()

    def _new_counts(self) -> Allocations:
        native = self.settings.native
        return Allocations(ALLOCATIONS_SITES, frames=FRAMES, native=native)

    # Between start and stop nothing of ours allocates but what `_overhead` knows.

    def runcode(
        self, code: CodeType, globals: dict[str, Any], locals: Mapping[str, Any], /
    ) -> object:
        counted = self._counted
        self._is_code = True
        with self._peak:
            counted.start()
            try:
                exec(code, globals, locals)
            finally:
                counted.stop()
        return None

    def runcall(self, func: Callable[..., Any], /, *args: Any) -> object:
        counted = self._counted
        with self._peak:
            counted.start()
            try:
                # What it returns goes before the counting stops: it is the caller's.
                func(*args)
            finally:
                counted.stop()
        return None

    def all(
        self,
        prepared: list[Callable[[], object]],
        statement: str,
        setup: str,
        on_partial: Callable[[MemoryResult], None] | None,
    ) -> MemoryResult:
        begin = time.monotonic()
        limit_s = self.settings.timeout_s
        try:
            with LeftOut(), following(self._children, self._abandon), self._sampler:
                if self.settings.leaks:
                    self._all_for_leaks(prepared)
                for number, run in enumerate(prepared[len(self._runs) :]):
                    if self._runs and limit_s and time.monotonic() - begin >= limit_s:
                        break
                    with self._alive[number] as alive:
                        self._book(self._one(run, alive))
        except BaseException:
            if on_partial is not None and self._runs:
                on_partial(self._result(statement, setup, interrupted=True))
            raise
        return self._result(statement, setup, interrupted=False)

    def _all_for_leaks(self, prepared: list[Callable[[], object]]) -> None:
        """Run as often as is to be; what the first run leaves is looked for at the end.

        Nothing of ours is kept meanwhile, because it would look like a leak.
        """
        taken = []
        with self._alive[0] as first:
            for number, run in enumerate(prepared):
                if number < len(prepared) - 1:
                    taken.append(self._one(run, first))
                    self._counted = self._new_counts()
                    gc.collect()
                    continue
                with self._alive[number] as last:
                    taken.append(self._one(run, last, first))
        for each in taken:
            self._book(each)

    def _one(
        self,
        run: Callable[[], object],
        alive: Allocations,
        first: Allocations | None = None,
    ) -> _Taken:
        """Run the code once; when it raises, keep what it did and let the error pass.

        Parameters
        ----------
        alive : Allocations
            What lies in its blocks is what the run has left.
        first : Allocations, optional
            Of the first run, to find what it and this one have left.
        """
        leave_out_thread()  # what is ours is not what the run leaves
        try:
            return self._one_seen(run, alive, first)
        finally:
            leave_out_thread(False)

    def _one_seen(
        self,
        run: Callable[[], object],
        alive: Allocations,
        first: Allocations | None,
    ) -> _Taken:
        """Do that in a thread that is left out but for the run."""
        tree = process_tree()[0] if self.settings.children else 0
        collections = _collections()
        start_ns = time.perf_counter_ns()
        try:
            leave_out_thread(False)
            try:
                run()
            finally:
                leave_out_thread()
        except BaseException:
            self._book(self._taken(start_ns, collections, tree))
            raise
        taken = self._taken(start_ns, collections, tree)
        if first is not None:
            gc.collect()
            self._survivors = survivors(first, alive, (taken, taken.resident))
        if self.settings.leaks or not self._counted.current_blocks:
            return taken
        return replace(taken, kept=_kinds(alive))

    def _taken(self, start_ns: int, collections: int, tree: int) -> _Taken:
        wall_ns = time.perf_counter_ns() - start_ns
        peak = self._peak
        figures = peak.start_bytes, peak.peak_bytes, resident()
        if self.settings.children:
            end = process_tree()[0]
            figures = tree, max(tree, end, self._sampler.peak_bytes), end
        collections = _collections() - collections
        return _Taken(self._counted, peak, figures, wall_ns, collections, self._is_code)

    def _book(self, taken: _Taken) -> None:
        counted = taken.counted
        bytes_, blocks = _overhead() if taken.is_code else (0, 0)
        start, highest, end = taken.resident
        run = Run(
            start_rss=start,
            peak_rss=highest,
            end_rss=end,
            allocated_bytes=max(0, counted.allocated_bytes - bytes_),
            allocations=max(0, counted.allocations - blocks),
            freed_bytes=max(0, counted.freed_bytes - bytes_),
            frees=max(0, counted.frees - blocks),
            peak_allocated=max(0, counted.peak_bytes - bytes_),
            native_bytes=counted.native_bytes,
            native_allocations=counted.native_allocations,
            wall_ns=taken.wall_ns,
            collections=taken.collections,
        )
        self._runs.append(run)
        if counted.note and counted.note not in self._notes:
            self._notes.append(counted.note)
        if self._best is None or run.allocated_bytes < self._best[0]:
            self._best = run.allocated_bytes, Sites.of(counted), taken.kept

    def _result(self, statement: str, setup: str, *, interrupted: bool) -> MemoryResult:
        settings = self.settings
        assert self._best is not None
        _, sites, kept = self._best
        how = self._peak.how
        if settings.children:
            how = "adding up proportional sizes again and again"
        return MemoryResult(
            statement=statement,
            setup=setup,
            label="",
            runs=tuple(self._runs),
            samples=tuple(self._sampler.samples()),
            places=sites.places,
            sites=sites.sites,
            kept=kept,
            survivors=self._survivors,
            native=settings.native,
            include_children=settings.children,
            resident_how=how,
            exact=self._peak.exact and not settings.children,
            notes=tuple(self._notes),
            repeat=settings.repeat,
            timeout=settings.timeout_s,
            interval=settings.interval_s,
            interrupted=interrupted,
            python=platform.python_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            **self._of_children(),
        )

    def _of_children(self) -> dict[str, Any]:
        """Give the fields of the result that come from child processes."""
        if self._children is None:
            return {}
        gathered = self._children.stop()
        return {
            "processes": gathered.processes,
            "other_programs": gathered.others,
            "child_runs": child_runs(gathered),
        }


@cache
def _overhead() -> tuple[int, int]:
    """Measure what `exec` itself allocates, and frees: bytes and blocks."""
    counted = Allocations(ALLOCATIONS_EXACT)
    nothing = compile("", "<nothing>", "exec")
    names: dict[str, Any] = {"__builtins__": {}}
    for _ in range(2):
        counted.start()
        exec(nothing, names, names)
        counted.stop()
    return counted.freed_bytes, counted.frees


def _collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def _kinds(alive: Allocations) -> tuple[Kind, ...]:
    """Count what a run has left behind by type."""
    kinds = [
        Kind(_name(cls), objects, bytes_)
        for cls, objects, bytes_ in alive.types()
        if objects
    ]
    return tuple(sorted(kinds, key=lambda kind: -kind.bytes)[:_MOST_KINDS])


def _name(cls: type) -> str:
    return long_name(cls).removeprefix("builtins.").removeprefix("__main__.")
