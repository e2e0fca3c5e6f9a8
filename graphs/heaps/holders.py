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
    types : tuple of str
        Of the objects on the way.
    """

    __slots__ = ("expression", "origin", "place", "types")

    def __init__(
        self, expression: str, place: str, origin: str, types: tuple[str, ...]
    ) -> None:
        self.expression = expression
        self.place = place
        self.origin = origin
        self.types = types


def folded(expression: str) -> str:
    """Write an attribute that is kept in a dictionary as an attribute."""
    return _FIELD.sub(r".\1", expression)


def way_to(heap: Heap, node: int) -> Way:
    """Find the shortest way to an object of a heap with names."""
    origin, steps = heap.path(node)
    known = [heap.node(number) for number, _ in steps]
    types = tuple(row[1] for row in known)
    label = known[0][3]
    path = folded(
        "".join(
            name or f" -> ({type_name})"
            for (_, name), type_name in zip(steps[1:], types[1:], strict=True)
        )
    )
    if origin == "module" and label == "__main__":
        return Way(path.removeprefix("."), "variable of __main__", origin, types)
    if origin == "module":
        return Way(f"{label or types[0]}{path}", f"module {label}", origin, types)
    if origin == "frame":
        return Way(path, f"in the running function {label}", origin, types)
    where = "held by C code, by the interpreter or by a running expression"
    if origin == "garbage":
        where = "garbage that waits for the collector"
    return Way(f"({types[0]}){path}", where, origin, types)


def is_bookkeeping(way: Way) -> bool:
    """Tell whether a way leads through what IPython keeps for itself."""
    if any(map(_HOSTS.match, way.types)):
        return True
    if way.origin == "module" and not way.place.startswith("variable"):
        return _HOSTS.match(way.expression) is not None
    return (
        way.place.startswith("variable") and _HISTORY.match(way.expression) is not None
    )
