"""A program together with the processes that it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._core import ResidentSampler, process_tree
from ..live.processes import describe
from .result import ChildRun, MemoryResult

if TYPE_CHECKING:
    from ..live.children import Children, Gathered

__all__ = ["CHILDREN_INTERVAL_S", "Followed", "child_runs", "new_children"]

#: Between two readings of what all processes use.
CHILDREN_INTERVAL_S = 0.05


def new_children(*, native: bool = False, profile: bool = False) -> Children:
    """Make what follows child processes, in which allocations are counted.

    With `profile` their programs know that name, as that of the parent does.
    """
    from ..live.children import Children

    return Children("memit", {"native": native, "profile": profile})


def child_runs(gathered: Gathered) -> tuple[ChildRun, ...]:
    """Give what each of them has counted."""
    return tuple(
        ChildRun(process.label, result.run)
        for process, result in gathered.results
        if isinstance(result, MemoryResult)
    )


class Followed:
    """What a program and the processes that it starts use together."""

    def __init__(self) -> None:
        self._children = new_children(profile=True)
        self._sampler = ResidentSampler(CHILDREN_INTERVAL_S, 2, children=True)
        self._bytes = 0, 0

    @contextmanager
    def during(self, abandon: Callable[[], Any]) -> Iterator[None]:
        """Follow them in a block; `abandon` is as for `Children.start`."""
        start = process_tree()[0]
        with self._sampler:
            try:
                with self._children.during(abandon):
                    yield
            finally:
                self._bytes = start, max(start, self._sampler.peak_bytes)

    def text(self) -> str:
        """Give the peak of all, and what each child has allocated."""
        from .view_measure import children_table, peak_line

        start, peak = self._bytes
        gathered = self._children.stop()
        lines = [
            f"With child processes: {peak_line(peak, peak - start)};"
            " what they share is counted once",
            describe(gathered.processes, gathered.others),
        ]
        table = children_table(child_runs(gathered), gathered.processes)
        if table.rows:
            lines += ["", "allocated in child processes:", table.text()]
        return "\n".join(lines)
