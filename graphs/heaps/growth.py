"""What is new in the heap, and what holds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .graph import HeapGraph, HeapMark, heap
from .holders import Way, concerns_nobody, is_bookkeeping, way_to
from .result import Cluster, Growth, Leaks, NewType
from .sets import ObjectSet

__all__ = ["growth_of", "leaks", "new_since"]

_TYPES = 50
_CLUSTERS = 20
# Ways are looked up one by one; what is beyond has the fewest bytes.
_ENTRANCES = 5000
_INDEX = re.compile(r"\[-?\d+\]")
_LAST_KEY = re.compile(r"\['[^']*'\]$")
# What is held by the interpreter and its library, and is smaller, is the doing of whatever
# ran: coroutines of the kernel's loop, arguments of the call that looks, compiled patterns.
_SMALL = 131_072
# So many keys of one mapping, and what differs is the key, not the place.
_KEYS = 4


def new_since(graph: HeapGraph, mark: HeapMark, since: str) -> Growth:
    """Compare a heap with an earlier moment of the same process."""
    return growth_of(graph.since(mark), mark, since)


def growth_of(new: ObjectSet, mark: HeapMark, since: str) -> Growth:
    """Say of new objects which types they have and what holds them."""
    graph = new.graph
    held, ours = _groups(new)
    new = new - ours
    before, after = (
        mark.types,
        {name: (count, size) for name, count, size in graph.core.types()},
    )
    rows = [
        NewType(
            row.key,
            row.count,
            row.size,
            after[row.key][0] - before.get(row.key, (0, 0))[0],
        )
        for row in new.by("type").rows
    ]
    return Growth(
        since,
        (mark.objects, graph.objects),
        (mark.size, sum(size for _, size in after.values())),
        (new.count, new.size),
        tuple(rows[:_TYPES]),
        tuple(group.cluster() for group in held[:_CLUSTERS]),
        (ours.count, ours.size),
    )


class _Group:
    """Entrances that are reached in the same way, but for an index or a key."""

    def __init__(self, way: Way, type_name: str, signature: str) -> None:
        self.way = way
        self.type = type_name
        self.signature = signature
        self.entrances = 0
        self.count = 0
        self.bytes = 0
        self.members: list[int] = []  # the classes of its entrances

    def add(self, entrances: int, count: int, size: int) -> None:
        self.entrances += entrances
        self.count += count
        self.bytes += size

    @property
    def is_the_programs(self) -> bool:
        """Whether it is somebody's data, and not what the interpreter does with it."""
        return self.bytes >= _SMALL or not concerns_nobody(self.way, self.type)

    def cluster(self, again: int = 0) -> Cluster:
        holder = self.way.expression if self.entrances == 1 else self.signature
        return Cluster(
            holder,
            self.way.place,
            self.type,
            self.entrances,
            self.count,
            self.bytes,
            again,
        )


def _groups(members: ObjectSet) -> tuple[list[_Group], ObjectSet]:
    """Put objects together that are held in the same way.

    Returns
    -------
    list of groups
        Those with the most bytes first.
    ObjectSet
        The objects that IPython, the interpreter and this package keep for themselves:
        in none of them.
    """
    graph, core = members.graph, members.graph.core
    content = members.content
    classes, entrances = core.entrances(content)
    tally = core.tally(content, classes, len(entrances))
    order = sorted(range(len(entrances)), key=lambda number: -tally[number][1])
    groups: dict[tuple[str, str, str], _Group] = {}
    concealed = int.from_bytes(core.unreached_set(True), "little")
    ours = bytearray(len(entrances))
    for number in order[:_ENTRANCES]:
        if concealed >> entrances[number] & 1:
            ours[number] = 1
            continue
        way = way_to(core, entrances[number])
        type_name = core.node(entrances[number])[1]
        if is_bookkeeping(way, core) or type_name.startswith("nbprobe."):
            ours[number] = 1
            continue
        signature = _INDEX.sub("[…]", way.expression)
        key = (signature, way.place, type_name)
        group = groups.setdefault(key, _Group(way, type_name, signature))
        group.add(1, *tally[number])
        group.members.append(number)
    for group in groups.values():
        if not group.is_the_programs:
            for number in group.members:
                ours[number] = 1
    found = _without_keys(it for it in groups.values() if it.is_the_programs)
    found.sort(key=lambda it: (-it.bytes, it.signature))
    return found, graph._set(core.select(content, classes, bytes(ours)))


def _without_keys(groups: Iterable[_Group]) -> list[_Group]:
    """Join groups that differ in the last key alone, where there are many of them."""
    families: dict[tuple[str, str, str], list[_Group]] = {}
    for group in groups:
        stem = _LAST_KEY.sub("['…']", group.signature)
        families.setdefault((stem, group.way.place, group.type), []).append(group)
    joined = []
    for (stem, _, _), members in families.items():
        if len(members) <= _KEYS:
            joined += members
            continue
        first = members[0]
        first.signature = stem
        for other in members[1:]:
            first.add(other.entrances, other.count, other.bytes)
        joined.append(first)
    return joined


def leaks(action: Callable[[], object], statement: str = "") -> Leaks:
    """Find what an action leaves behind, by running it twice.

    What the first run made, and the second has neither used up nor replaced, is left
    behind for good: a cache that was filled once is seen by its second figure being 0.

    Parameters
    ----------
    action : callable
        Runs twice; garbage is collected before it, between the runs and afterwards.
    statement : str
        What it does, for the report.
    """
    import gc

    gc.collect()
    before = heap(names=False).mark()
    action()
    gc.collect()
    after = heap(names=False).mark()
    action()
    gc.collect()
    graph = heap()
    since_before, since_after = graph.since(before), graph.since(after)
    second, ours = _groups(since_after)
    first_set = since_before - since_after
    first, kept = _groups(first_set)
    first_set = first_set - kept
    again = {(it.signature, it.type): it.entrances for it in second}
    rows = tuple(
        it.cluster(again.get((it.signature, it.type), 0)) for it in first[:_CLUSTERS]
    )
    rest = since_after - ours
    return Leaks(
        statement,
        (first_set.count, first_set.size),
        (rest.count, rest.size),
        rows,
    )
