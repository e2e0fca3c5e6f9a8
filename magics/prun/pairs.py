"""From trees to the pairs of caller and callee that pstats knows."""

from __future__ import annotations

import pstats
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .result import ProfileResult, Thread

__all__ = ["Label", "LabelRow", "Pair", "Row", "as_stats", "rows", "summed"]

Label = tuple[str, int, str]
L = TypeVar("L", bound=Hashable)


class Pair:
    """Calls of a function, by anybody or by one caller.

    Attributes
    ----------
    calls, primitive : int
        All of them, and those that are not part of a recursion.
    resumes, primitive_resumes : int
        The same of resumptions of a generator or coroutine, which are no calls here; pstats
        takes them for calls.
    self_ns, total_ns : float
        Own time, and time with callees, of which recursion is counted once.
    size, blocks : int
        What was allocated, callees excluded: bytes and blocks; 0 when not counted.
    """

    __slots__ = (
        *("calls", "primitive", "resumes", "primitive_resumes"),
        *("self_ns", "total_ns", "size", "blocks"),
    )

    def __init__(self) -> None:
        self.calls = self.primitive = self.resumes = self.primitive_resumes = 0
        self.self_ns = self.total_ns = 0.0
        self.size = self.blocks = 0

    def add(
        self, calls: int, resumes: int, self_ns: float, total_ns: float, nested: bool
    ) -> None:
        """Add a node of the tree; nested: within another call of the same."""
        self.calls += calls
        self.resumes += resumes
        self.self_ns += self_ns
        if not nested:
            self.primitive += calls
            self.primitive_resumes += resumes
            self.total_ns += total_ns

    @property
    def entries(self) -> int:
        """Calls as pstats counts them."""
        return self.calls + self.resumes

    @property
    def primitive_entries(self) -> int:
        """Those of them that are not part of a recursion."""
        return self.primitive + self.primitive_resumes


class Row(Pair, Generic[L]):
    """A function, and its callers by their labels."""

    __slots__ = ("callers",)

    def __init__(self) -> None:
        super().__init__()
        self.callers: dict[L, Pair] = {}


LabelRow = Row[Label]


def rows(result: ProfileResult, *, raw: bool = False) -> dict[Label, LabelRow]:
    """Sum up the trees of all threads by function, and by caller and function."""
    labels = [function.label for function in result.functions]
    return summed(result, labels, raw=raw)


def summed(
    result: ProfileResult, labels: Sequence[L], *, raw: bool = False
) -> dict[L, Row[L]]:
    """Sum up the trees by label, of which each function has one."""
    found: dict[L, Row[L]] = {}
    for thread in result.threads:
        _add_thread(found, thread, labels, raw=raw)
    return found


def _add_thread(
    found: dict[L, Row[L]], thread: Thread, labels: Sequence[L], *, raw: bool
) -> None:
    own = thread.raw_self_ns if raw else thread.self_ns
    total = thread.raw_inclusive_ns if raw else thread.inclusive_ns
    running: Counter[L] = Counter()
    running_pairs: Counter[tuple[L, L]] = Counter()
    for index, entered in thread.walk():
        label = labels[thread.function[index]]
        parent = thread.parent[index]
        caller = labels[thread.function[parent]] if parent >= 0 else None
        if not entered:
            running[label] -= 1
            if caller is not None:
                running_pairs[caller, label] -= 1
            continue
        figures = thread.calls[index], thread.resumes[index], own[index], total[index]
        row = found.setdefault(label, Row())
        row.add(*figures, running[label] > 0)
        if thread.allocated_bytes:
            row.size += thread.allocated_bytes[index]
            row.blocks += thread.allocated_blocks[index]
        running[label] += 1
        if caller is not None:
            pair = row.callers.setdefault(caller, Pair())
            nested = running_pairs[caller, label] > 0
            pair.add(*figures, nested)
            running_pairs[caller, label] += 1


class _Source:
    """What `pstats.Stats` reads profiles from."""

    def __init__(self, stats: dict[Label, tuple[object, ...]]) -> None:
        self.stats = stats

    def create_stats(self) -> None:
        """Nothing is left to do."""


def as_stats(found: Mapping[Label, LabelRow]) -> pstats.Stats:
    """Give a profile as `pstats.Stats`; times in seconds."""
    table: dict[Label, tuple[object, ...]] = {}
    for label, row in found.items():
        callers = {
            caller: (
                pair.entries,
                pair.primitive_entries,
                pair.self_ns / 1e9,
                pair.total_ns / 1e9,
            )
            for caller, pair in row.callers.items()
        }
        table[label] = (
            row.primitive_entries,
            row.entries,
            row.self_ns / 1e9,
            row.total_ns / 1e9,
            callers,
        )
    if not table:
        # pstats refuses an empty table.
        empty = pstats.Stats()
        empty.stats = {}  # type: ignore[attr-defined]
        return empty
    return pstats.Stats(_Source(table))  # type: ignore[arg-type]
