"""What a statement does to memory on several engines, or in several processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..live.balance import Balance
from ..live.engine import as_written
from ..live.processes import KINDS, Process
from ..results import Result
from .result import MemoryResult, Place, by_text

if TYPE_CHECKING:
    from ..live.children import Gathered

__all__ = ["EngineMemory", "together"]

# What each figure is called, and the attribute of a measurement that it is.
_FIGURES = (
    ("resident peak", "increment_rss"),
    ("peak allocated", "peak_allocated"),
    ("allocated", "allocated_bytes"),
    ("allocations", "allocations"),
    ("kept", "retained_bytes"),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EngineMemory(Result):
    """What one piece of code does to memory on each of several engines.

    Or what each of several processes on other machines allocates; then there are no lines.

    Attributes
    ----------
    statement : str
        The code, as the user wrote it.
    processes : tuple of Process
        All engines that were asked, or processes that sent figures.
    labels : tuple of str
        Of those that answered.
    parts : tuple of MemoryResult
        What each of these measured.
    wall_ns : int
        How long it took, from the request to the last answer.
    """

    kind: ClassVar[str] = "memit.engines"

    statement: str
    processes: tuple[Process, ...]
    labels: tuple[str, ...]
    parts: tuple[MemoryResult, ...]
    wall_ns: int

    def __post_init__(self) -> None:
        """Refuse measurements of nobody, and none at all."""
        if len(self.labels) != len(self.parts) or not self.parts:
            raise ValueError("there must be a label for each of the parts, and a part")

    @property
    def kinds(self) -> tuple[str, str]:
        """What one of them and several are called: ``('engine', 'engines')``."""
        return KINDS[self.processes[0].kind if self.processes else "engine"]

    def by_process(self) -> dict[str, MemoryResult]:
        """Give the measurement of each engine, by its label."""
        return dict(zip(self.labels, self.parts, strict=True))

    @property
    def allocated_bytes(self) -> int:
        """Bytes allocated in one run, on all engines together."""
        return sum(part.allocated_bytes for part in self.parts)

    @property
    def allocations(self) -> int:
        """Blocks allocated in one run, on all engines together."""
        return sum(part.allocations for part in self.parts)

    def figures(self) -> list[tuple[str, dict[str, int]]]:
        """Give each figure of every engine, by its label; bytes, or blocks."""
        parts = self.by_process()
        return [
            (name, {label: getattr(part, field) for label, part in parts.items()})
            for name, field in _FIGURES
        ]

    def lines(self) -> list[tuple[Place, int, Balance]]:
        """Add up what each line allocates, and say how that is spread; the most first.

        Lines are the same when function and text are.
        """
        places: dict[Any, Place] = {}
        counts: dict[Any, dict[str, float]] = {}
        for label, part in self.by_process().items():
            for key, (place, bytes_) in by_text(part):
                places.setdefault(key, replace(place, text=as_written(place.text)))
                of_line = counts.setdefault(key, dict.fromkeys(self.labels, 0.0))
                of_line[label] += bytes_
        rows = [
            (places[key], round(sum(counts[key].values())), Balance.of(counts[key]))
            for key in places
        ]
        return sorted(rows, key=lambda row: -row[1])

    def records(self) -> list[dict[str, Any]]:
        """Give one row for each that answered."""
        return [
            {
                self.kinds[0]: label,
                "peak_rss": part.peak_rss,
                "increment_rss": part.increment_rss,
                "peak_allocated": part.peak_allocated,
                "allocated_bytes": part.allocated_bytes,
                "allocations": part.allocations,
                "retained_bytes": part.retained_bytes,
            }
            for label, part in self.by_process().items()
        ]


def together(gathered: Gathered, statement: str, wall_ns: int) -> EngineMemory:
    """Make one result of those of engines, of which there is one at least."""
    measured = [
        (process.label, part)
        for process, part in gathered.results
        if isinstance(part, MemoryResult)
    ]
    return EngineMemory(
        statement=statement,
        processes=gathered.processes,
        labels=tuple(label for label, _ in measured),
        parts=tuple(part for _, part in measured),
        wall_ns=wall_ns,
    )
