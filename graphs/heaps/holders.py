"""How an object of a heap is reached, in the user's words; the object is not needed."""

from __future__ import annotations

import re
import sys
import sysconfig

from ..._core import Heap
from ..labels import FRAMES, ends

__all__ = [
    "Way",
    "concerns_nobody",
    "folded",
    "is_bookkeeping",
    "way_to",
    "written",
]

# What IPython, the kernel and this package keep for themselves.
_NAMES = (
    r"(?:IPython|ipykernel|traitlets|tornado|zmq|jupyter_client|jupyter_core|comm|"
    r"linecache|nbprobe|asyncio|prompt_toolkit|matplotlib_inline|stack_data|executing|"
    r"asttokens|pure_eval|pygments|decorator|jedi|parso|debugpy|pydevd)"
)
_HOSTS = re.compile(rf"{_NAMES}\b")
# A function of theirs, as its code is labelled: its file is in parentheses.
_HOST_CODE = re.compile(rf"\(.*[/\\]{_NAMES}(?:[/\\]|\.py\b)")
_SUSPENDED = ("coroutine", "generator", "async_generator", "frame")
_FRAMES = {cls.__name__: attribute for cls, attribute in FRAMES.items()}
_LIBRARY = sysconfig.get_path("stdlib")
_HISTORY = re.compile(r"(?:_i{1,3}|_i\d+|_ih|_dh|In)\b")
_OUTPUT = re.compile(r"\['_(?:_{0,2}|\d+)'\]")
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
    suspended : tuple of int
        The coroutines, generators and frames among them, by their numbers.
    """

    __slots__ = ("expression", "origin", "place", "suspended", "types")

    def __init__(
        self,
        expression: str,
        place: str,
        origin: str,
        types: tuple[str, ...],
        suspended: tuple[int, ...],
    ) -> None:
        self.expression = expression
        self.place = place
        self.origin = origin
        self.types = types
        self.suspended = suspended


def folded(expression: str) -> str:
    """Write an attribute that is kept in a dictionary as an attribute."""
    return _FIELD.sub(r".\1", expression)


def way_to(heap: Heap, node: int) -> Way:
    """Find the shortest way to an object of a heap with names."""
    return written(heap, *heap.path(node))


def written(heap: Heap, origin: str, steps: list[tuple[int, str]]) -> Way:
    """Write a way: from where it begins, each object with the name that leads to it."""
    first_steps, gap, last_steps = ends(steps)
    if gap:
        node, name = last_steps[0]
        cut = (node, f" … {gap:,} more … {name}")
        steps = [*first_steps, cut, *last_steps[1:]]
    known = [heap.node(number) for number, _ in steps]
    types = tuple(row[1] for row in known)
    suspended = tuple(
        number
        for (number, _), name in zip(steps, types, strict=True)
        if name in _SUSPENDED
    )
    label = known[0][3]
    output = ""
    if origin == "module" and label == "__main__":
        steps, output = _told(heap, steps)
    first, *others = [
        _in_code(source, name, held)
        for (_, name), source, held in zip(steps[1:], types, types[1:], strict=False)
    ] or [""]
    if origin == "frame" and len(steps) > 1 and steps[1][1]:
        first = steps[1][1]  # a variable of the function that is named
    path = folded("".join([first, *others]))
    if origin == "module" and label == "__main__":
        expression, place = path.removeprefix("."), "variable of __main__"
        if output:
            expression = output + expression.removeprefix(f"_{output[4:-1]}")
            place = "in IPython's history of outputs"
    elif origin == "module":
        expression, place = f"{label or types[0]}{path}", f"module {label}"
    elif origin == "frame":
        expression, place = path, f"in the running function {label}"
    else:
        expression = f"({types[0]}){path}"
        place = "held by C code, by the interpreter or by a running expression"
        if origin == "garbage":
            place = "garbage that waits for the collector"
    return Way(expression, place, origin, types, suspended)


def _in_code(source: str, name: str, held: str) -> str:
    """Write the name of a reference as it is written after its holder."""
    if not name:
        return f" -> ({held})"
    if name[:1].isidentifier() and source in _SUSPENDED:
        return f"{_FRAMES.get(source, '')}.f_locals['{name}']"
    return name


def _told(
    heap: Heap, steps: list[tuple[int, str]]
) -> tuple[list[tuple[int, str]], str]:
    """Prefer the user's name of a variable to those that IPython gives to outputs.

    Returns
    -------
    list
        The steps.
    str
        ``Out[3]`` when that is the best name of the variable; else empty.
    """
    if len(steps) < 3 or not _OUTPUT.fullmatch(steps[2][1]):
        return steps, ""
    (namespace, _), (node, name) = steps[1:3]
    held = heap.references_of(namespace, False)
    names = [it for other, it in held if other == node]
    own = [it for it in names if it[:2] == "['" and not _OUTPUT.fullmatch(it)]
    numbers = [it for it in names if re.fullmatch(r"\['_\d+'\]", it)]
    if not any(it == "['Out']" for _, it in held):
        return steps, ""  # without IPython they are variables as any others
    name = [*own, *numbers, name][0]
    output = f"Out[{name[3:-2]}]" if numbers and not own else ""
    return [*steps[:2], (node, name), *steps[3:]], output


def is_bookkeeping(way: Way, heap: Heap) -> bool:
    """Tell whether a way leads through what IPython keeps for itself."""
    if any(map(_HOSTS.match, way.types)):
        return True
    if any(_runs_hosts(heap, node) for node in way.suspended):
        return True
    if way.origin == "module" and not way.place.startswith("variable"):
        return _HOSTS.match(way.expression) is not None
    return (
        way.place.startswith("variable") and _HISTORY.match(way.expression) is not None
    )


def _runs_hosts(heap: Heap, node: int) -> bool:
    """Tell whether a function that has not ended is one of IPython or of the kernel."""
    for held, _ in heap.references_of(node, False):
        _, type_name, _, label, _, _ = heap.node(held)
        if type_name == "code":
            return _HOST_CODE.search(label) is not None
    return False


def concerns_nobody(way: Way, type_name: str) -> bool:
    """Tell whether a small object that is held so is no one's data.

    It is held by the interpreter or its library, and is of one of their types; or it is
    the name of a variable, or the code that runs.
    """
    if way.origin == "frame" and re.match(
        r"(?:\.f_code\b.*|\.f_func)?$", way.expression
    ):
        return True
    if way.place.startswith("variable"):
        return way.expression == "__dict__(key)"
    top, dot, _ = type_name.partition(".")
    if dot and top not in sys.stdlib_module_names and not _HOSTS.match(type_name):
        return False
    if way.origin == "frame":
        return f"({_LIBRARY}" in way.place and "-packages" not in way.place
    if way.origin != "module":
        return True
    holder = re.split(r"[^\w]", way.expression, maxsplit=1)[0]
    of_library = holder in sys.stdlib_module_names or holder == "sys"
    return of_library and not way.expression.startswith("sys.last_")
