"""What changed between two moments, with pympler.tracker's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import summary
from .heaps.graph import HeapMark, heap

__all__ = ["ObjectTracker", "SummaryTracker"]


class SummaryTracker:
    """Compares summaries of the heap: what each moment has more than the one before.

    Parameters
    ----------
    ignore_self : bool
        Leave out the summaries that are kept here.
    """

    def __init__(self, ignore_self: bool = True) -> None:
        self._ignore_self = ignore_self
        self.s0 = self.create_summary()
        self.summaries: dict[Any, list[summary.Row]] = {}

    def create_summary(self) -> list[summary.Row]:
        """Count all objects by type, those of this module left out."""
        graph = heap(names=False)
        counted = graph.all - graph.ours if self._ignore_self else graph.all
        rows = counted.by("type").rows
        return [(row.key, row.count, row.size) for row in rows]

    def diff(
        self,
        summary1: list[summary.Row] | None = None,
        summary2: list[summary.Row] | None = None,
    ) -> list[summary.Row]:
        """Give the differences of two summaries; by default of now and the last time."""
        if summary2 is None:
            current = self.create_summary()
            before = self.s0 if summary1 is None else summary1
            if summary1 is None:
                self.s0 = current
            return [
                row for row in summary.get_diff(before, current) if row[1] or row[2]
            ]
        if summary1 is None:
            raise ValueError("a second summary needs a first")
        return [row for row in summary.get_diff(summary1, summary2) if row[1] or row[2]]

    def format_diff(
        self,
        summary1: list[summary.Row] | None = None,
        summary2: list[summary.Row] | None = None,
    ) -> Iterator[str]:
        """Give the lines of the table of differences."""
        return summary.format_(self.diff(summary1, summary2))

    def print_diff(
        self,
        summary1: list[summary.Row] | None = None,
        summary2: list[summary.Row] | None = None,
    ) -> None:
        """Print the table of differences."""
        summary.print_(self.diff(summary1, summary2))

    def store_summary(self, key: Any) -> None:
        """Keep a summary under a key in `summaries`."""
        self.summaries[key] = self.create_summary()


class ObjectTracker:
    """Finds the objects that are new since the last time."""

    def __init__(self) -> None:
        self._mark: HeapMark = heap(names=False).mark()

    def get_diff(self, ignore: tuple[Any, ...] = ()) -> dict[str, list[Any]]:
        """Give the new objects, under '+'.

        Nothing of the old ones is kept, so under '-' there are none.
        """
        graph = heap(names=False)
        found = (graph.since(self._mark) - graph.ours).live()
        self._mark = graph.mark()
        left_out = {id(it) for it in ignore}
        return {
            "+": [
                it for it in found if id(it) not in left_out and not _is_ours(type(it))
            ],
            "-": [],
        }

    def print_diff(self, ignore: tuple[Any, ...] = ()) -> None:
        """Print the new objects by type."""
        print("Added objects:")
        summary.print_(summary.summarize(self.get_diff(ignore)["+"]))


def _is_ours(cls: type) -> bool:
    return str(type.__dict__["__module__"].__get__(cls)).startswith("nbprobe.")
