"""How an object of a heap is reached, in the user's words; the object is not needed."""

from __future__ import annotations

import re

from ..._core import Heap

__all__ = ["Way", "folded", "is_bookkeeping", "way_to"]

# What IPython, the kernel and this package keep for themselves.
_HOSTS = re.compile(
    r"(?:IPython|ipykernel|traitlets|tornado|zmq|jupyter_client|comm|linecache|nbprobe|"
    r"asyncio|prompt_toolkit|matplotlib_inline|stack_data|executing|asttokens|pygments|"
    r"jedi|parso|debugpy|pydevd)\b"
)
_HISTORY = re.compile(r"(?:_i{1,3}|_i\d+|_ih|_dh|In)\b")
_FIELD = re.compile(r"\.__dict__\['([^\W\d]\w*)'\]")


class Way:
    """The shortest way to an object.

    Attributes
    ----------
    expression : str
        As code reaches it: ``cache['rows'][3]``.
    place : str
        Where it begins, in words.
    origin : str
        ``'module'``, ``'frame'``, ``'outside'`` or ``'garbage'``.
    """

    __slots__ = ("expression", "origin", "place")

    def __init__(self, expression: str, place: str, origin: str) -> None:
        self.expression = expression
        self.place = place
        self.origin = origin


def folded(expression: str) -> str:
    """Write an attribute that is kept in a dictionary as an attribute."""
    return _FIELD.sub(r".\1", expression)


def way_to(heap: Heap, node: int) -> Way:
    """Find the shortest way to an object of a heap with names."""
    origin, steps = heap.path(node)
    _, type_name, _, label, _, _ = heap.node(steps[0][0])
    names = []
    for number, name in steps[1:]:
        names.append(name or f" -> ({heap.node(number)[1]})")
    path = folded("".join(names))
    if origin == "module":
        if label == "__main__":
            return Way(path.removeprefix("."), "variable of __main__", origin)
        return Way(f"{label or type_name}{path}", f"module {label}", origin)
    if origin == "frame":
        return Way(path, f"in the running function {label}", origin)
    if origin == "garbage":
        return Way(f"({type_name})", "garbage that waits for the collector", origin)
    where = "held by C code, by the interpreter or by a running expression"
    return Way(f"({type_name}){path}", where, origin)


def is_bookkeeping(way: Way) -> bool:
    """Tell whether a way leads through what IPython keeps for itself."""
    if way.origin == "module" and not way.place.startswith("variable"):
        return _HOSTS.match(way.expression) is not None
    if way.origin == "frame":
        return False
    if way.origin == "outside":
        return _HOSTS.match(way.expression[1:]) is not None
    return _HISTORY.match(way.expression) is not None
