"""A heap by type, and the objects that alone keep much of it alive."""

from __future__ import annotations

from .graph import HeapGraph
from .holders import way_to
from .result import HeapSummary, Suspect, TypeRow

__all__ = ["summarize", "type_rows"]

_CANDIDATES = 400
_BIGGEST = 12
_ROUNDS = 3
_FEW = 4
_HELD = 4

_CONTAINERS = {"dict", "list", "tuple"}

# Of a program itself, not of its data; what they retain is looked at one by one.
_PROGRAM = ("module", "type", "function", "frame", "code", "cell")


def type_rows(graph: HeapGraph) -> list[TypeRow]:
    """Give the types of a heap with what they retain, the most bytes first."""
    retained = graph.core.retained_by_type()
    rows = [
        TypeRow(name, count, size, kept)
        for (name, count, size), kept in zip(graph.core.types(), retained, strict=True)
        if count
    ]
    rows.sort(key=lambda row: (-row.bytes, -row.count, row.name))
    return rows


def summarize(graph: HeapGraph) -> HeapSummary:
    """Make the summary of a heap."""
    types = type_rows(graph)
    unreached = graph.core.unreached_set()
    return HeapSummary(
        graph.objects,
        sum(row.bytes for row in types),
        graph.references,
        graph.core.total(unreached),
        tuple(types),
        tuple(_suspect(graph, node, kept) for node, kept in _biggest(graph)),
        graph.source,
        str(graph.about.get("python", "")),
        str(graph.about.get("created", "")),
        tuple(sorted(graph.devices.items())),
    )


def _biggest(graph: HeapGraph) -> list[tuple[int, int]]:
    """Choose the objects that retain the most, none of them below another.

    An object of which one part retains nearly all is passed over for the sake of that
    part: the accumulation is there.
    """
    chosen: list[tuple[int, int]] = []
    rest = graph.all
    for _ in range(_ROUNDS):
        candidates = graph.core.largest(rest.content, True, _CANDIDATES)
        chosen += _chosen(graph, candidates)
        if len(candidates) < _CANDIDATES or len(chosen) >= _FEW:
            break
        # The links of one long list may be all of them: look past them.
        below = [node for node, _ in chosen]
        looked_at = graph.core.set_of([node for node, _ in candidates])
        rest = rest - graph._set(looked_at)
        rest = rest - graph._set(graph.core.retained_set(graph.core.set_of(below)))
    return chosen[:_BIGGEST]


def _chosen(
    graph: HeapGraph, candidates: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Choose among those that retain the most."""
    above = {node: graph.core.dominator(node)[0] for node, _ in candidates}
    kept = dict(candidates)
    passed = {
        node
        for node, _ in candidates
        if graph.core.node(node)[1] in _PROGRAM or _is_namespace(graph, node)
    }
    for node, retained in candidates:
        holder = above[node]
        if (
            holder in kept
            and retained >= 0.9 * kept[holder]
            and not _is_inside(graph, node, holder)
        ):
            passed.add(holder)
    chosen: list[tuple[int, int]] = []
    covered: set[int] = set()
    for node, retained in candidates:
        if len(chosen) == _BIGGEST:
            break
        if node in passed:
            continue
        holder = above[node]
        while holder is not None and holder not in covered:
            holder = above.get(holder)
        if holder is None:
            chosen.append((node, retained))
            covered.add(node)
    return chosen


def _is_inside(graph: HeapGraph, node: int, holder: int) -> bool:
    """Tell whether it is a part of its holder that has no public name, or a link."""
    path = graph.core.path(node)[1]
    if len(path) < 2 or path[-2][0] != holder:
        return False
    name = path[-1][1]
    types = {graph.core.node(it)[1] for it in (node, holder)}
    if len(types) == 1 and not types & _CONTAINERS:
        return True
    return not name or (name.startswith("._") and not name.startswith(".__"))


def _is_namespace(graph: HeapGraph, node: int) -> bool:
    """Tell whether it is the names of a module or a class, or of no one's variable."""
    if graph.core.node(node)[1] != "dict":
        return False
    holder, _ = graph.core.dominator(node)
    if holder is not None and graph.core.node(holder)[1] == "module":
        return True
    path = graph.core.path(node)[1]
    return len(path) < 2 or path[-1][1] == ".__dict__" or _is_table(graph, path)


def _is_table(graph: HeapGraph, path: list[tuple[int, str]]) -> bool:
    """Tell whether it is the table of all modules."""
    label = graph.core.node(path[0][0])[3]
    return label == "sys" and path[-1][1] == "['modules']"


def _suspect(graph: HeapGraph, node: int, retained: int) -> Suspect:
    core = graph.core
    way = way_to(core, node)
    _, name, size, _, _, _ = core.node(node)
    below = core.retained_set(core.set_of([node]))
    classes, keys = core.classes(below, "type")
    tally = core.tally(below, classes, len(keys))
    held = [
        TypeRow(core.type_names[key[0]], count, total, 0)
        for key, (count, total) in zip(keys, tally, strict=True)
    ]
    held.sort(key=lambda row: (-row.bytes, row.name))
    return Suspect(name, size, retained, way.expression, way.place, tuple(held[:_HELD]))
