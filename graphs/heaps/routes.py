"""Ways to objects, as code: the shortest, from somewhere, or past something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...views import units
from .holders import folded, way_to, written

if TYPE_CHECKING:
    from .sets import ObjectSet

__all__ = ["Paths", "direct", "shortest"]


class Paths(list[str]):
    """Paths to objects; printed with their numbers."""

    def __str__(self) -> str:
        lines = [f"{number:2d}: {path}" for number, path in enumerate(self)]
        return units.for_stdout("\n".join(lines))

    __repr__ = __str__


def direct(members: ObjectSet, backwards: bool, limit: int) -> Paths:
    """Give the references to the first objects of a set, or from them."""
    core = members.graph.core
    # What only hidden functions hold explains nothing.
    concealed = int.from_bytes(core.unreached_set(True), "little")
    found: dict[str, None] = {}
    for node in core.nodes(members.content, limit):
        for other, name in core.references_of(node, backwards):
            if concealed >> other & 1:
                continue
            start = way_to(core, other if backwards else node).expression
            if len(found) < limit:
                found[folded(f".{start}{name}").removeprefix(".")] = None
    return Paths(found)


def shortest(
    members: ObjectSet,
    limit: int,
    src: ObjectSet | None,
    avoid_nodes: ObjectSet | None,
) -> Paths:
    """Give a shortest path to each of the first objects of a set.

    Parameters
    ----------
    members : ObjectSet
    limit : int
    src : ObjectSet, optional
        Where paths begin; modules and running functions by default.
    avoid_nodes : ObjectSet, optional
        No path leads through these.
    """
    core = members.graph.core
    nodes = core.nodes(members.content, limit)
    if src is None and avoid_nodes is None:
        return Paths(way_to(core, node).expression for node in nodes)
    starts = (_starts(members) if src is None else src).bits
    allowed = ~(0 if avoid_nodes is None else avoid_nodes.bits)
    found = (_search(members, node, starts & allowed, allowed) for node in nodes)
    return Paths(path for path in found if path is not None)


def _starts(members: ObjectSet) -> ObjectSet:
    """Give the modules and running functions from which the shortest ways begin."""
    graph = members.graph
    candidates = graph.type("module") | graph.type("frame")
    known = [
        node
        for node in graph.core.nodes(candidates.content, candidates.count)
        if len(graph.core.path(node)[1]) == 1
    ]
    return graph._set(graph.core.set_of(known))


def _search(members: ObjectSet, node: int, starts: int, allowed: int) -> str | None:
    """Search from an object to where paths may begin, a level at a time."""
    core = members.graph.core
    level = members.graph._set(core.set_of([node]))
    levels = [level.bits]
    seen = level.bits
    while not levels[-1] & starts:
        level = level.referrers
        level.bits &= allowed & ~seen
        if not level.bits:
            return None
        seen |= level.bits
        levels.append(level.bits)
    here = core.nodes(_content(members, levels.pop() & starts), 1)[0]
    steps = [(here, "")]
    for bits in reversed(levels):
        here, name = next(
            (other, name)
            for other, name in core.references_of(here, False)
            if bits >> other & 1
        )
        steps.append((here, name))
    origin, way = core.path(steps[0][0])
    return written(core, origin, [*way, *steps[1:]]).expression


def _content(members: ObjectSet, bits: int) -> bytes:
    return bits.to_bytes((members.graph.objects + 7) // 8, "little")
