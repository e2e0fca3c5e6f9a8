"""The instances of classes over time, with pympler.classtracker's names."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, TextIO

from .._core import Heap
from .heaps.graph import heap
from .heaps.result import ClassHistory, ClassMoment, TypeRow
from .labels import long_name

__all__ = ["ClassTracker", "Stats"]


class _Tracked:
    """One object that is followed."""

    def __init__(self, instance: object, name: str, keep: bool) -> None:
        self.name = name
        self.kept = instance if keep else None
        # What is kept need not have weak references.
        self.reference: Any = None if keep else weakref.ref(instance)

    def row(self, core: Heap) -> TypeRow:
        """Give its bytes, and what would be freed with it."""
        it = self.kept if self.reference is None else self.reference()
        if it is None:
            return TypeRow(self.name, 0, 0, 0)
        try:
            return TypeRow(self.name, 1, core.size(it), core.retained(it))
        except LookupError:  # it holds nothing, and only something untracked holds it
            return TypeRow(self.name, 1, 0, 0)


_CRITERIA = {"classname", "tsize", "birth", "death", "name", "repr", "size"}


class ClassTracker:
    """Counts the instances of classes at moments that you choose.

    Nothing is patched and no instance is held: each snapshot looks at the heap, so
    instances from before `track_class` count as well.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._classes: dict[str, str] = {}
        self._objects: dict[int, _Tracked] = {}
        self._moments: list[ClassMoment] = []
        self._start = time.perf_counter()
        self._lock = threading.Lock()
        self._periodic: tuple[threading.Thread, threading.Event] | None = None

    def track_class(
        self,
        cls: type,
        name: str | None = None,
        resolution_level: int = 0,
        keep: bool = False,
        trace: bool = False,
    ) -> None:
        """Count the instances of a class, not of those derived from it.

        The last three arguments are pympler's and change nothing: no instance is held,
        and `heap().type(name).byprod` says which lines made them.
        """
        del resolution_level, keep, trace
        full = long_name(cls).removeprefix("builtins.")
        self._classes[full] = name or full

    def detach_class(self, cls: type) -> None:
        """Count them no longer; the snapshots until now keep them."""
        self._classes.pop(long_name(cls).removeprefix("builtins."), None)

    def detach_all_classes(self) -> None:
        """Count no class any more."""
        self._classes.clear()

    def track_object(
        self,
        instance: object,
        name: str | None = None,
        resolution_level: int = 0,
        keep: bool = False,
        trace: bool = False,
    ) -> None:
        """Follow one object: a row of its own, empty once it is gone.

        Parameters
        ----------
        instance : object
            One that can have weak references, unless it is kept.
        name : str, optional
            Of its row; by default that of its class and its number.
        keep : bool
            Keep it alive.
        resolution_level, trace
            Taken for pympler's sake.
        """
        del resolution_level, trace
        number = 1 + len(self._objects)
        label = name or f"{long_name(type(instance))} #{number}"
        self._objects.setdefault(id(instance), _Tracked(instance, label, keep))

    def track_change(self, instance: object, resolution_level: int = 0) -> None:
        """Taken for pympler's sake: objects are followed with all that they retain."""

    def detach_all(self) -> None:
        """Follow no class and no object any more."""
        self._classes.clear()
        self._objects.clear()

    def close(self) -> None:
        """Stop snapshots, and follow nothing any more."""
        self.stop_periodic_snapshots()
        self.detach_all()

    def start_periodic_snapshots(self, interval: float = 1.0) -> None:
        """Take a snapshot each `interval` seconds, until they are stopped."""
        self.stop_periodic_snapshots()
        over = threading.Event()

        def run() -> None:
            while not over.wait(interval):
                self.create_snapshot()

        thread = threading.Thread(target=run, name="nbprobe snapshots", daemon=True)
        self._periodic = thread, over
        thread.start()

    def stop_periodic_snapshots(self) -> None:
        """Take no more of them; the one that is being taken is waited for."""
        if self._periodic is not None:
            thread, over = self._periodic
            self._periodic = None
            over.set()
            thread.join()

    def create_snapshot(
        self, description: str = "", compute_total: bool = False
    ) -> None:
        """Look at the heap: how many instances, their bytes, and what they retain.

        `compute_total` is pympler's: what they retain is computed in any case.
        """
        with self._lock:
            self._take(description)

    def _take(self, description: str) -> None:
        graph = heap(names=False)
        retained = dict(
            zip(graph.core.type_names, graph.core.retained_by_type(), strict=True)
        )
        found = {name: (count, size) for name, count, size in graph.core.types()}
        rows = tuple(
            TypeRow(shown, *found.get(full, (0, 0)), retained.get(full, 0))
            for full, shown in self._classes.items()
        )
        rows += tuple(it.row(graph.core) for it in self._objects.values())
        seconds = time.perf_counter() - self._start
        self._moments.append(ClassMoment(description, seconds, rows))

    def clear(self) -> None:
        """Forget all snapshots, classes and objects."""
        self.detach_all()
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
        return Stats(self, stream=self._stream)

    @property
    def snapshots(self) -> list[ClassMoment]:
        """The snapshots until now."""
        return list(self._moments)


class Stats:
    """A report of a `ClassTracker`: as text, as a table, as HTML.

    Parameters
    ----------
    tracker : ClassTracker, optional
    filename : str or path, optional
        A file that `dump_stats` wrote, to be read in its place.
    stream : file, optional
        Where to print; the standard output by default.
    """

    def __init__(
        self,
        tracker: ClassTracker | None = None,
        filename: str | os.PathLike[str] | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self.history = ClassHistory((), ()) if tracker is None else tracker.history
        self._stream = stream
        self._order: list[str] | None = None
        if filename is not None:
            self.load_stats(filename)

    def print_summary(self) -> None:
        """Print how many instances there were at each snapshot, and their bytes."""
        print(self.history, file=self._stream)

    def print_stats(self, clsname: str | None = None, limit: float = 1.0) -> None:
        """Print the summary of some classes and objects.

        Parameters
        ----------
        clsname : str, optional
            Only those whose names contain it.
        limit : float
            How many of them, in the order of `sort_stats`; below 1 or 1.0: this part of
            them.
        """
        if self._order is None:
            self.sort_stats()
        assert self._order is not None
        chosen = [name for name in self._order if (clsname or "") in name]
        most = round(limit * len(chosen)) if limit <= 1 else int(limit)
        shown = {name: None for name in chosen[:most]}
        moments = tuple(
            ClassMoment(
                moment.description,
                moment.seconds,
                tuple(row for row in moment.rows if row.name in shown),
            )
            for moment in self.history.moments
        )
        print(ClassHistory(tuple(shown), moments), file=self._stream)

    def sort_stats(self, *args: str) -> Stats:
        """Choose the order in which `print_stats` prints.

        Parameters
        ----------
        *args : str
            ``'size'`` (the most bytes of one snapshot first), ``'tsize'`` (of the last
            one, the default), ``'classname'``, ``'name'``, ``'repr'``, ``'birth'``,
            ``'death'`` (of the first and after the last snapshot that has one); the
            second decides where the first is the same.
        """
        wrong = sorted(set(args) - _CRITERIA)
        if wrong:
            raise ValueError(
                f"invalid sort {wrong[0]!r}, should be one of {sorted(_CRITERIA)}"
            )
        bytes_of: dict[str, list[int]] = {name: [] for name in self.history.classes}
        there: dict[str, list[int]] = {name: [] for name in self.history.classes}
        for number, moment in enumerate(self.history.moments):
            for row in moment.rows:
                bytes_of[row.name].append(row.bytes)
                there[row.name] += [number] if row.count else []

        def place(name: str) -> list[object]:
            return [
                {
                    "size": -max(bytes_of[name], default=0),
                    "tsize": -(bytes_of[name] or [0])[-1],
                    "birth": min(there[name], default=0),
                    "death": max(there[name], default=0),
                }.get(criterion, name)
                for criterion in args or ("tsize", "name")
            ]

        self._order = sorted(self.history.classes, key=place)
        return self

    def reverse_order(self) -> Stats:
        """Turn the order round."""
        if self._order is None:
            self.sort_stats()
        assert self._order is not None
        self._order.reverse()
        return self

    @property
    def tracked_classes(self) -> list[str]:
        """The names of what was followed, in order."""
        return sorted(self.history.classes)

    def create_html(self, fname: str | os.PathLike[str], title: str = "") -> None:
        """Write the report as an HTML page that stands alone."""
        self.history.to_html(fname)

    def dump_stats(self, fname: str | os.PathLike[str]) -> None:
        """Write the figures to a file that `load_stats` and `nbprobe.load` read."""
        self.history.save(fname)

    def load_stats(self, fdump: str | os.PathLike[str]) -> None:
        """Read what `dump_stats` wrote."""
        from ..results import load

        history = load(fdump)
        if not isinstance(history, ClassHistory):
            raise ValueError(f"{os.fspath(fdump)!a} holds no history of classes")
        self.history = history
        self._order = None
