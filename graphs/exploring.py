"""The objects of a picture: searched breadth first, and what is too much bundled."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core import referents, referrers, running_holders, start_search
from .chains import is_proper_module
from .labels import edge_names, held_by, long_name
from .lent import SharedMemory
from .options import PictureOptions
from .result import Bundle

__all__ = ["HOST", "OURS", "Found", "StandIn", "explore", "history_of", "shell"]

# What runs a cell and what answers this question: their functions hold everything for a
# moment, which explains nothing.
OURS = ("nbprobe",)
HOST = ("IPython", "ipykernel", "asyncio", "tornado", "traitlets", "zmq", "runpy")

_CONTAINERS = (list, tuple, dict, set, frozenset)
_MOST_BUNDLES = 4

_LAST_OUTPUTS = re.compile(r"\['_(?:_|__|\d+)?'\]")

# What the run of the cell before this one came to, which has no name of its own.
_LAST_RESULT = "last result"


@dataclass(frozen=True, slots=True)
class StandIn:
    """A holder that is no object: a running function, or what IPython keeps of outputs."""

    number: int
    type: str
    value: str
    running: bool


def shell() -> Any:
    """Give the running IPython shell, without importing IPython; None for none."""
    module = sys.modules.get("IPython.core.interactiveshell")
    if module is None or not module.InteractiveShell.initialized():
        return None
    return module.InteractiveShell._instance


def history_of(shell: Any) -> list[Any]:
    """Give the objects in which IPython keeps its outputs."""
    # The result of the cell before this one is kept until this one ends.
    last = shell.last_execution_result
    kept = [shell.user_ns_hidden, shell.displayhook, shell.user_ns.get("_oh"), last]
    # Older versions of Python have made the dictionary of its attributes.
    kept += [
        it
        for it in referents(shell.displayhook)
        if type(it) is dict and "do_full_cache" in it
    ]
    return [it for it in kept if it is not None]


class _Host:
    """What the notebook itself keeps, which explains nothing and fills a picture."""

    def __init__(self, active: bool) -> None:
        self.shell = shell() if active else None
        self.history: dict[int, str] = {}
        if self.shell is not None:
            kept = history_of(self.shell)
            self.history = {id(it): "" for it in kept}
            self.history[id(self.shell.user_ns.get("_oh"))] = "Out"

    def is_history(self, other: object) -> bool:
        return id(other) in self.history

    def name(self, other: object, it: object) -> str:
        """Give the name in the history as the user knows it."""
        names = edge_names(other, it)
        name = names[0] if names else ""
        if self.history[id(other)]:
            return f"{self.history[id(other)]}{name}"
        hidden = re.fullmatch(r"\['(_\w*)'\]", name)
        return hidden[1] if hidden else _LAST_RESULT

    def own_names(self, other: object, it: object) -> tuple[str, ...] | None:
        """Give the names in the user's variables that are no history; None elsewhere."""
        if self.shell is None or other is not self.shell.user_ns:
            return None
        names = edge_names(other, it)
        return tuple(name for name in names if not _LAST_OUTPUTS.fullmatch(name))

    def hides(self, other: object, it: object) -> bool:
        """Tell whether the holder of an object is none of the user's concern."""
        if self.shell is None:
            return False
        if it is self.shell.user_ns:
            return not is_proper_module(other)
        return long_name(type(other)).partition(".")[0] in HOST


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Give the names in the history: outputs by number, then ``_``, ``__``, ``___``.

    The last result is an output too, and said only where it has no other name.
    """
    told = names - {_LAST_RESULT} or names
    return tuple(sorted(told, key=lambda it: (it.startswith("_"), len(it), it)))


class Found:
    """Objects and references met so far; pinned until the picture is made."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.depths: list[int] = []
        self.numbers: dict[int, int] = {}
        # Holder and held by number; the names where they are known already.
        self.edges: dict[tuple[int, int], tuple[str, ...] | None] = {}
        self.bundles: dict[int, tuple[Bundle, ...]] = {}
        self.parents: dict[int, int] = {}

    def add(self, it: object, depth: int) -> bool:
        """Take an object in; false when it is there already."""
        if id(it) in self.numbers:
            return False
        self.numbers[id(it)] = len(self.objects)
        self.objects.append(it)
        self.depths.append(depth)
        return True

    def connect(self, near: int, far: int, backwards: bool) -> None:
        """Note a reference between the object that was searched from and one it led to."""
        self.edges.setdefault((far, near) if backwards else (near, far), None)
        if self.depths[far] > self.depths[near]:
            self.parents.setdefault(far, near)

    def path_from(self, number: int) -> list[tuple[int, int]]:
        """Give the references by which an object was found, from itself to the start."""
        path = []
        while number in self.parents:
            path.append((number, self.parents[number]))
            number = self.parents[number]
        return path


def explore(
    objects: list[Any],
    backwards: bool,
    options: PictureOptions,
    ignored: set[int],
    typename: Callable[[type], str],
) -> Found:
    """Search breadth first, all objects of one depth at once."""
    found = Found()
    frames: dict[int, StandIn] = {}
    host = _Host(backwards and not options.internals and options.filter is None)
    history = StandIn(0, "IPython", "history of outputs", False)
    memory = SharedMemory()
    search = start_search() if backwards else None
    level: list[Any] = []
    level.extend(it for it in objects if found.add(it, 0))
    ignored = ignored | {id(objects), id(found.objects), id(found.numbers)}
    for depth in range(options.max_depth):
        if backwards:
            level = [it for it in level if not is_proper_module(it)]
        following: list[Any] = []
        for it, others in zip(
            level, _neighbours(level, backwards, memory, search), strict=True
        ):
            shown = [
                other
                for other in others
                if id(other) not in ignored and options.wants(other)
            ]
            here = found.numbers[id(it)]
            kept = [other for other in shown if host.is_history(other)]
            if kept:
                names = _in_order({host.name(other, it) for other in kept})
                _stand_in(history, here, names, depth + 1, found)
            shown = [
                other
                for other in shown
                if not host.is_history(other) and not host.hides(other, it)
            ]
            # `_` and `_3` are variables as well, and stand with the history.
            own = {id(other): host.own_names(other, it) for other in shown if kept}
            shown = [other for other in shown if own.get(id(other)) != ()]
            for other in shown[: options.too_many]:
                if found.add(other, depth + 1):
                    following.append(other)
                there = found.numbers[id(other)]
                found.connect(here, there, backwards)
                if own.get(id(other)) is not None:
                    found.edges[there, here] = own[id(other)]
            if len(shown) > options.too_many:
                found.bundles[here] = _bundles(
                    it, shown[options.too_many :], backwards, typename, found
                )
            # A list of ours that lives on would be found as a holder of what is in it.
            others = shown = kept = []
            it = other = None
        if backwards and options.frames and options.filter is None:
            _add_frames(level, depth + 1, found, frames)
        level = following
        if not level:
            break
    return found


def _neighbours(
    level: list[Any],
    backwards: bool,
    memory: SharedMemory,
    search: list[Any] | None,
) -> list[list[Any]]:
    if backwards:
        return referrers(level, search)
    return [held_by(it) + memory.of(it) for it in level]


def _add_frames(
    level: list[Any], depth: int, found: Found, frames: dict[int, StandIn]
) -> None:
    """Add the running functions that hold an object of one depth."""
    for place, number, code, variable in running_holders(level, OURS + HOST):
        file = f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"
        words = f"{code.co_qualname}() {file}"
        frame = frames.setdefault(
            number, StandIn(number, "running function", words, True)
        )
        _stand_in(frame, found.numbers[id(level[place])], (variable,), depth, found)


def _stand_in(
    it: StandIn, held: int, names: tuple[str, ...], depth: int, found: Found
) -> None:
    """Add a holder that is no object, and what it calls an object."""
    found.add(it, depth)
    pair = (found.numbers[id(it)], held)
    found.edges[pair] = (*(found.edges.get(pair) or ()), *names)
    if depth > found.depths[held]:
        found.parents.setdefault(*pair)


def _bundles(
    it: object,
    others: list[Any],
    backwards: bool,
    typename: Callable[[type], str],
    found: Found,
) -> tuple[Bundle, ...]:
    """Count what there is no room for, by type, with the name of one reference each.

    A name is looked for among all that a holder has, so that one for each would be a
    square of work.
    """
    kinds: dict[type, list[Any]] = {}
    for other in others:
        kinds.setdefault(type(other), []).append(other)
    largest = sorted(kinds.items(), key=lambda row: -len(row[1]))
    prefix = "" if backwards else _prefix(it, found)
    bundles = []
    for cls, members in largest[:_MOST_BUNDLES]:
        ends = (members[0], it) if backwards else (it, members[0])
        name = prefix + _pattern(edge_names(*ends))
        bundles.append(Bundle(len(members), typename(cls), name))
    rest = sum(len(members) for _, members in largest[_MOST_BUNDLES:])
    if rest:
        bundles.append(Bundle(rest, "of other types", ""))
    return tuple(bundles)


def _pattern(names: list[str]) -> str:
    """Give a name for many references: ``[3]`` and ``['x']`` are one of ``[...]``."""
    return re.sub(r"\[.*\]", "[...]", names[0], flags=re.DOTALL) if names else ""


def _prefix(it: object, found: Found) -> str:
    """Give the name by which a container was found: what it is called in code."""
    number = found.numbers[id(it)]
    if not issubclass(type(it), _CONTAINERS) or number not in found.parents:
        return ""
    names = edge_names(found.objects[found.parents[number]], it)
    return names[0] if names and names[0].startswith((".", "['")) else ""
