"""Garbage that waits for the collector, its circles, and what the collector has done."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from .graph import HeapGraph, heap
from .result import Collector, Cycle, Cycles, Pause, TypeRow

__all__ = ["cycles", "watched"]

_CYCLES = 10
_TYPES = 20
_SEARCHED = 20_000


def cycles(
    *,
    graph: HeapGraph | None = None,
    statement: str = "",
    pauses: tuple[Pause, ...] = (),
    wall_ns: int = 0,
) -> Cycles:
    """Look for garbage, without collecting it.

    Parameters
    ----------
    graph : HeapGraph, optional
        The heap to look at; taken now by default.
    statement, pauses, wall_ns
        What `watched` has recorded.
    """
    graph = graph or heap()
    core = graph.core
    garbage = core.unreached_set()
    classes, count = core.cycles(garbage)
    tally = core.tally(garbage, classes, count)
    order = sorted(range(count), key=lambda number: -tally[number][1])
    found = []
    for number in order[:_CYCLES]:
        wanted = bytearray(count)
        wanted[number] = 1
        members = core.select(garbage, classes, bytes(wanted))
        found.append(
            Cycle(*tally[number], _types(graph, members), _ring(graph, members))
        )
    thresholds, counts = gc.get_threshold(), gc.get_count()
    return Cycles(
        gc.isenabled(),
        gc.get_freeze_count(),
        len(gc.garbage),
        tuple(
            Collector(
                threshold,
                waiting,
                stats["collections"],
                stats["collected"],
                stats["uncollectable"],
            )
            for threshold, waiting, stats in zip(
                thresholds, counts, gc.get_stats(), strict=True
            )
        ),
        core.total(garbage),
        _types(graph, garbage),
        count,
        tuple(found),
        statement,
        pauses,
        wall_ns,
    )


def _types(graph: HeapGraph, content: bytes) -> tuple[TypeRow, ...]:
    rows = graph._set(content).by("type").rows[:_TYPES]
    return tuple(TypeRow(row.key, row.count, row.size, 0) for row in rows)


def _ring(graph: HeapGraph, content: bytes) -> tuple[str, ...]:
    """Find a shortest circle through the first of some objects."""
    core = graph.core
    (start,) = core.nodes(content, 1)
    members = int.from_bytes(content, "little")
    came: dict[int, tuple[int, str]] = {}
    level = [start]
    while level and start not in came and len(came) < _SEARCHED:
        following = []
        for node in level:
            for other, name in core.references_of(node, False):
                if members >> other & 1 and other not in came:
                    came[other] = (node, name)
                    following.append(other)
        level = following
    ring: list[str] = []
    node = start
    while node in came and (not ring or node != start):
        node, name = came[node]
        ring.append(f"{core.node(node)[1]}{name}")
    if not ring:
        return ()
    return (*reversed(ring), core.node(start)[1])


class watched:
    """Record the collector's pauses while a block runs.

    Attributes
    ----------
    pauses : list of Pause
    wall_ns : int
    """

    def __init__(self) -> None:
        self.pauses: list[Pause] = []
        self.wall_ns = 0
        self._since = 0

    def _on_collection(self, phase: str, info: dict[str, Any]) -> None:
        now = time.perf_counter_ns()
        if phase == "start":
            self._since = now
        elif self._since:
            self.pauses.append(
                Pause(info["generation"], now - self._since, info["collected"])
            )

    def __enter__(self) -> watched:
        self._callback: Callable[..., None] = self._on_collection
        gc.callbacks.append(self._callback)
        self._start = time.perf_counter_ns()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall_ns = time.perf_counter_ns() - self._start
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)
