"""What holds the objects of a saved heap, or what they hold, as a tree of text."""

from __future__ import annotations

from collections.abc import Iterator

from ...views import units
from ...views.names import clean, one_line
from .graph import HeapGraph

__all__ = ["tree"]

_LINES = 200


def tree(
    graph: HeapGraph, nodes: list[int], *, depth: int, backwards: bool, too_many: int
) -> str:
    """Draw references as text; each object is followed once.

    Parameters
    ----------
    graph : HeapGraph
    nodes : list of int
        Where to begin.
    depth : int
        References to the farthest objects.
    backwards : bool
        Towards the holders.
    too_many : int
        References of one object to show; the rest is counted.
    """
    lines: list[str] = []
    for line in _lines(graph, nodes, depth, backwards, too_many):
        if len(lines) == _LINES:
            lines.append("and more lines: a smaller depth shows fewer")
            break
        lines.append(line)
    return "\n".join(lines)


def _lines(
    graph: HeapGraph, nodes: list[int], depth: int, backwards: bool, too_many: int
) -> Iterator[str]:
    core = graph.core
    followed: set[int] = set()
    # By hand: the depth is the user's.
    todo = [(node, "", "", "", 0) for node in reversed(nodes)]
    while todo:
        node, name, lead, indent, level = todo.pop()
        if node < 0:
            yield f"{lead}{name}"
            continue
        through = f"{name} of " if backwards else f"{name}: "
        line = f"{lead}{through if name else ''}{_words(graph, node)}"
        if node in followed:
            yield f"{line}  (see above)"
            continue
        followed.add(node)
        yield line
        if level == depth:
            continue
        row = core.references_of(node, backwards)
        branches = [
            (other, name, _child(indent, False), level + 1)
            for other, name in dict.fromkeys(row[:too_many])
        ]
        more = len(row) - too_many
        for place, (other, written, _, below) in enumerate(reversed(branches)):
            last = place == 0 and more <= 0
            lead = indent + ("└─ " if last else "├─ ")
            todo.append((other, clean(written), lead, _child(indent, last), below))
        if more > 0:
            word = "backreferences" if backwards else "references"
            todo.insert(
                len(todo) - len(branches),
                (-1, f"{more:,} more {word}", indent + "└─ ", "", 0),
            )


def _child(indent: str, last: bool) -> str:
    return indent + ("   " if last else "│  ")


def _words(graph: HeapGraph, node: int) -> str:
    address, type_name, size, label, _, _ = graph.core.node(node)
    words = one_line(clean(type_name), 60)
    if label:
        words += f" {one_line(clean(label), 60)}"
    return f"{words}  {units.memory(size)} at {address:#x}"
