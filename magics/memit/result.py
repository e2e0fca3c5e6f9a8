"""What was measured of memory, as plain data that can be saved, compared and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..live.processes import Process
from ..results import Result
from .recording import MIB

__all__ = [
    "Change",
    "ChildRun",
    "Kind",
    "MemoryResult",
    "Place",
    "Run",
    "Site",
    "Survivor",
]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code.

    Attributes
    ----------
    file : str
        As the code names it; ``'?'`` when it is not known.
    line : int
        0 when it is not known.
    function : str
    text : str
        The line itself, without its indentation; empty when there is no source.
    users : bool
        Whether it is the user's own code, and no library's.
    """

    file: str
    line: int
    function: str
    text: str
    users: bool


@dataclass(frozen=True, slots=True)
class Site:
    """What was allocated in one place: by one line, called on one way.

    Attributes
    ----------
    places : tuple of int
        Numbers of the result's places, the innermost first; empty for what libraries take
        without the GIL, and for the smallest sites of very many, added up.
    allocated_bytes, allocations : int
        In all.
    peak_bytes, peak_blocks : int
        At the moment when the run had most.
    temporary_bytes, temporary_blocks : int
        Freed again almost at once.
    alive_bytes, alive_blocks : int
        Not freed at the end.
    """

    places: tuple[int, ...]
    allocated_bytes: int
    allocations: int
    peak_bytes: int
    peak_blocks: int
    temporary_bytes: int
    temporary_blocks: int
    alive_bytes: int
    alive_blocks: int


@dataclass(frozen=True, slots=True)
class Kind:
    """Objects of one type that a run left behind: how many, and the bytes of their blocks."""

    type: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Survivor:
    """Objects of one type that every run leaves behind anew.

    Attributes
    ----------
    type : str
    objects : int
        Of one run.
    held_by : tuple of str
        How to reach one of them, as code, and where that way begins.
    advice : tuple of str
        For each of `held_by`, what lets go.
    """

    type: str
    objects: int
    held_by: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the code. Bytes, but for what is named otherwise.

    Attributes
    ----------
    start_rss, peak_rss, end_rss : int
        Resident memory before, at the most, and after; with children, of all processes.
    allocated_bytes, allocations : int
        What Python's allocators were asked for, in all threads; with `native`, also what
        libraries took for themselves.
    freed_bytes, frees : int
        Of that.
    peak_allocated : int
        The most of it at any one time.
    native_bytes, native_allocations : int
        What of it libraries took for themselves.
    wall_ns, collections : int
        Time; garbage collections within it.
    """

    start_rss: int
    peak_rss: int
    end_rss: int
    allocated_bytes: int
    allocations: int
    freed_bytes: int
    frees: int
    peak_allocated: int
    native_bytes: int
    native_allocations: int
    wall_ns: int
    collections: int

    @property
    def retained_bytes(self) -> int:
        """What was allocated and not freed."""
        return self.allocated_bytes - self.freed_bytes

    @property
    def retained_blocks(self) -> int:
        """How many blocks that is."""
        return self.allocations - self.frees


@dataclass(frozen=True, slots=True)
class ChildRun:
    """What a child process did, by its label."""

    process: str
    run: Run


@dataclass(frozen=True, slots=True, repr=False)
class MemoryResult(Result):
    """What a piece of code does to memory.

    Attributes
    ----------
    statement, setup, label : str
        The code, what ran before it, and its name.
    runs : tuple of Run
        In their order.
    samples : tuple of (int, int)
        Resident memory over the runs: nanoseconds from the beginning, bytes.
    places : tuple of Place
    sites : tuple of Site
        Of the run that the allocation figures are from, what allocated most first.
    kept : tuple of Kind
        What that run left behind, the largest first.
    survivors : tuple of Survivor
        With ``--leaks``: what every run leaves behind.
    native, include_children : bool
        Whether libraries' own memory, and other processes' are counted.
    resident_how : str
        How the resident peak was found.
    exact : bool
        Whether it is the kernel's own.
    notes : tuple of str
        What could not be measured, and why.
    repeat, timeout, interval
        As they were asked for; `timeout` in seconds, 0 for none.
    interrupted : bool
        Whether an exception or Ctrl-C ended the code early.
    python, created : str
        Version of the interpreter; when, ISO 8601, UTC.
    processes : tuple of Process
        With children: those that were seen.
    other_programs : int
        Processes of other programs that were seen.
    child_runs : tuple of ChildRun
        What the children allocated, in all runs together.

    See Also
    --------
    memory_profiler's ``MemitResult``, whose attributes this has.
    """

    kind: ClassVar[str] = "memit"

    statement: str
    setup: str
    label: str
    runs: tuple[Run, ...]
    samples: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]
    sites: tuple[Site, ...]
    kept: tuple[Kind, ...]
    survivors: tuple[Survivor, ...]
    native: bool
    include_children: bool
    resident_how: str
    exact: bool
    notes: tuple[str, ...]
    repeat: int
    timeout: float
    interval: float
    interrupted: bool
    python: str
    created: str
    processes: tuple[Process, ...] = ()
    other_programs: int = 0
    child_runs: tuple[ChildRun, ...] = ()

    def __post_init__(self) -> None:
        """Refuse places that are not there, and results without a run."""
        if not self.runs:
            raise ValueError("there must be a run")
        known = range(len(self.places))
        if not all(number in known for site in self.sites for number in site.places):
            raise ValueError("every place must be one of the places")

    @property
    def run(self) -> Run:
        """The run that the allocation figures are from: the one that allocated least."""
        return min(self.runs, key=lambda run: run.allocated_bytes)

    def by_process(self) -> dict[str, Run]:
        """Give the figures of each process, by its label; the measured one is ``''``.

        Of a child, resident memory counts pages that it shares with others as its own.
        """
        return {"": self.run, **{each.process: each.run for each in self.child_runs}}

    @property
    def peak_rss(self) -> int:
        """The most resident memory in any run, bytes."""
        return max(run.peak_rss for run in self.runs)

    @property
    def increment_rss(self) -> int:
        """That, above what there was before the first run."""
        return self.peak_rss - self.runs[0].start_rss

    @property
    def allocated_bytes(self) -> int:
        """Bytes allocated in one run."""
        return self.run.allocated_bytes

    @property
    def allocations(self) -> int:
        """Blocks allocated in one run."""
        return self.run.allocations

    @property
    def peak_allocated(self) -> int:
        """The most of these bytes at any one time."""
        return self.run.peak_allocated

    @property
    def retained_bytes(self) -> int:
        """What of them was not freed."""
        return self.run.retained_bytes

    @property
    def mem_usage(self) -> list[float]:
        """The peak of each run, MiB, as memory_profiler has it."""
        return [run.peak_rss / MIB for run in self.runs]

    @property
    def baseline(self) -> float:
        """Resident memory before the first run, MiB, as memory_profiler has it."""
        return self.runs[0].start_rss / MIB

    def lines(self) -> list[tuple[Place, Site]]:
        """Add up the sites by line, the one that allocated most first.

        Of each site it is the innermost line of the user's own code, because that can be
        changed; the innermost one where there is none.
        """
        by_place: dict[int, Site] = {}
        for site in self.sites:
            if not site.places:
                continue
            own = (number for number in site.places if self.places[number].users)
            number = next(own, site.places[0])
            by_place[number] = (
                _sum(by_place[number], site) if number in by_place else site
            )
        ordered = sorted(by_place.items(), key=lambda item: -item[1].allocated_bytes)
        return [(self.places[number], site) for number, site in ordered]

    @property
    def elsewhere(self) -> Site:
        """What is of no line: of libraries without the GIL, and the smallest sites."""
        total = Site((), 0, 0, 0, 0, 0, 0, 0, 0)
        for site in self.sites:
            if not site.places:
                total = _sum(total, site)
        return total

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each line that allocated."""
        return [
            {
                "file": place.file,
                "line": place.line,
                "function": place.function,
                "allocated_bytes": site.allocated_bytes,
                "allocations": site.allocations,
                "peak_bytes": site.peak_bytes,
                "temporary_bytes": site.temporary_bytes,
                "alive_bytes": site.alive_bytes,
                "alive_blocks": site.alive_blocks,
            }
            for place, site in self.lines()
        ]

    def diff(self, other: MemoryResult) -> Change:
        """Compare with a later result."""
        return Change(self, other)


def _sum(one: Site, other: Site) -> Site:
    return Site(
        one.places[:1],
        one.allocated_bytes + other.allocated_bytes,
        one.allocations + other.allocations,
        one.peak_bytes + other.peak_bytes,
        one.peak_blocks + other.peak_blocks,
        one.temporary_bytes + other.temporary_bytes,
        one.temporary_blocks + other.temporary_blocks,
        one.alive_bytes + other.alive_bytes,
        one.alive_blocks + other.alive_blocks,
    )


@dataclass(frozen=True, slots=True, repr=False)
class Change(Result):
    """Two results about memory beside each other."""

    kind: ClassVar[str] = "memit.change"

    before: MemoryResult
    after: MemoryResult

    def figures(self) -> list[tuple[str, int, int]]:
        """Give what is compared: its name, before, after; bytes, or blocks."""
        one, two = self.before, self.after
        return [
            ("resident peak", one.increment_rss, two.increment_rss),
            ("peak allocated", one.peak_allocated, two.peak_allocated),
            ("allocated", one.allocated_bytes, two.allocated_bytes),
            ("allocations", one.allocations, two.allocations),
            ("kept", one.retained_bytes, two.retained_bytes),
        ]

    def lines(self) -> list[tuple[Place, int, int]]:
        """Give the lines whose allocated bytes differ, the largest difference first.

        Lines are the same when function and text are: their numbers may have moved.
        """
        before, after = (dict(by_text(result)) for result in (self.before, self.after))
        rows = []
        for key in {**before, **after}:
            place = (after.get(key) or before[key])[0]
            counts = [side[key][1] if key in side else 0 for side in (before, after)]
            if counts[0] != counts[1]:
                rows.append((place, counts[0], counts[1]))
        return sorted(rows, key=lambda row: -abs(row[2] - row[1]))

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each figure."""
        return [
            {"figure": name, "before": before, "after": after, "change": after - before}
            for name, before, after in self.figures()
        ]


def by_text(result: MemoryResult) -> Iterator[tuple[Any, tuple[Place, int]]]:
    """Give what each line allocated, with what the line is known by in another result."""
    total: dict[Any, tuple[Place, int]] = {}
    for place, site in result.lines():
        # A cell that runs again is another file, and its lines may have moved.
        key = (place.function, place.text) if place.text else (place.file, place.line)
        earlier = total.get(key, (place, 0))[1]
        total[key] = place, earlier + site.allocated_bytes
    yield from total.items()
