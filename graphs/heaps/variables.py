"""The memory behind variables: their own, all that they lead to, what would go with them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from .graph import HeapGraph, heap
from .result import Variable, Variables
from .sets import ObjectSet

__all__ = ["variable_sizes"]

_SKIPPED = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
# Each costs a search of what it leads to.
_MOST = 100
_SHARED = 4


def variable_sizes(
    variables: Mapping[str, Any], *, graph: HeapGraph | None = None
) -> Variables:
    """Say how much memory is behind each of some variables.

    Parameters
    ----------
    variables : mapping of str to object
        Such as ``globals()``. Modules, classes, functions and names that begin with two
        underscores are left out.
    graph : HeapGraph, optional
        A heap in which they are; taken now by default.
    """
    chosen = {
        name: value
        for name, value in variables.items()
        if not isinstance(value, _SKIPPED) and not name.startswith("__")
    }
    graph = graph or heap(names=False)
    core = graph.core
    numbers = {}
    for name, value in chosen.items():
        number = core.find(value)
        if number is not None:
            numbers[name] = number
    # The order in which they are looked at: by what would go with them.
    order = sorted(numbers, key=lambda name: -core.dominator(numbers[name])[1])
    left_out = tuple(sorted(order[_MOST:]))
    order = order[:_MOST]
    reach = {
        name: graph._set(core.reach(core.set_of([numbers[name]]), True))
        for name in order
    }
    concealed = int.from_bytes(core.unreached_set(True), "little")
    rows = [_row(graph, name, numbers, reach, concealed) for name in order]
    rows.sort(key=lambda row: (-row.deep, row.name))
    return Variables(tuple(rows), left_out)


def _row(
    graph: HeapGraph,
    name: str,
    numbers: dict[str, int],
    reach: dict[str, ObjectSet],
    concealed: int,
) -> Variable:
    number = numbers[name]
    _, type_name, size, _, _, _ = graph.core.node(number)
    # The mapping that was given to us is not one of them.
    holders = {other for other, _ in graph.core.references_of(number, True)}
    others = sum(1 for other in holders if not concealed >> other & 1)
    shared = [
        (other, (reach[name] & found).bits)
        for other, found in reach.items()
        if other != name
    ]
    sized = [(other, ObjectSet(graph, bits).size) for other, bits in shared if bits]
    sized.sort(key=lambda pair: (-pair[1], pair[0]))
    return Variable(
        name,
        type_name,
        size,
        reach[name].size,
        graph.core.dominator(number)[1],
        tuple(sized[:_SHARED]),
        max(others - 1, 0),
        tuple(sorted(graph.devices_of(reach[name].bits).items())),
    )
