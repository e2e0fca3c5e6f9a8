"""The instances of classes over time, with pympler.classtracker's names."""

from __future__ import annotations

import os
import time
from typing import TextIO

from .heaps.graph import heap
from .heaps.result import ClassHistory, ClassMoment, TypeRow
from .labels import long_name

__all__ = ["ClassTracker", "Stats"]


class ClassTracker:
    """Counts the instances of classes at moments that you choose.

    Nothing is patched and no instance is held: each snapshot looks at the heap, so
    instances from before `track_class` count as well.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._classes: dict[str, str] = {}
        self._moments: list[ClassMoment] = []
        self._start = time.perf_counter()

    def track_class(self, cls: type, name: str | None = None) -> None:
        """Count the instances of a class, not of those derived from it."""
        full = long_name(cls).removeprefix("builtins.")
        self._classes[full] = name or full

    def detach_class(self, cls: type) -> None:
        """Count them no longer; the snapshots until now keep them."""
        self._classes.pop(long_name(cls).removeprefix("builtins."), None)

    def detach_all_classes(self) -> None:
        """Count no class any more."""
        self._classes.clear()

    def create_snapshot(self, description: str = "") -> None:
        """Look at the heap: how many instances, their bytes, and what they retain."""
        graph = heap(names=False)
        retained = dict(
            zip(graph.core.type_names, graph.core.retained_by_type(), strict=True)
        )
        found = {name: (count, size) for name, count, size in graph.core.types()}
        rows = tuple(
            TypeRow(shown, *found.get(full, (0, 0)), retained.get(full, 0))
            for full, shown in self._classes.items()
        )
        seconds = time.perf_counter() - self._start
        self._moments.append(ClassMoment(description, seconds, rows))

    def clear(self) -> None:
        """Forget all snapshots and classes."""
        self._classes.clear()
        self._moments.clear()

    @property
    def history(self) -> ClassHistory:
        """What was found so far: to be shown, saved and tabled."""
        names: dict[str, None] = {}
        for moment in self._moments:
            names |= dict.fromkeys(row.name for row in moment.rows)
        nothing = {name: TypeRow(name, 0, 0, 0) for name in names}
        moments = tuple(
            ClassMoment(
                moment.description,
                moment.seconds,
                tuple((nothing | {row.name: row for row in moment.rows}).values()),
            )
            for moment in self._moments
        )
        return ClassHistory(tuple(names), moments)

    @property
    def stats(self) -> Stats:
        """The report, as pympler gives it."""
        return Stats(self.history, self._stream)


class Stats:
    """A report of a `ClassTracker`: as text, as a table, as HTML."""

    def __init__(self, history: ClassHistory, stream: TextIO | None = None) -> None:
        self.history = history
        self._stream = stream

    def print_summary(self) -> None:
        """Print how many instances there were at each snapshot, and their bytes."""
        print(self.history, file=self._stream)

    def create_html(self, fname: str | os.PathLike[str], title: str = "") -> None:
        """Write the report as an HTML page that stands alone."""
        self.history.to_html(fname)

    def dump_stats(self, fname: str | os.PathLike[str]) -> None:
        """Write the figures to a file that `load_stats` and `nbprobe.load` read."""
        self.history.save(fname)

    @classmethod
    def load_stats(cls, fname: str | os.PathLike[str]) -> Stats:
        """Read what `dump_stats` wrote."""
        from ..results import load

        history = load(fname)
        if not isinstance(history, ClassHistory):
            raise ValueError(f"{os.fspath(fname)!a} holds no history of classes")
        return cls(history)
