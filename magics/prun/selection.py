"""Parts of a profile: paths through some functions, or without some functions.

The arithmetic is that of the tree, so that nothing is guessed: every nanosecond of a
function that is hidden is its caller's own, and what is left out is left out of all its
callers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import Function, ProfileResult, Thread

__all__ = ["matching", "select", "summed_up", "where"]


def where(function: Function) -> str:
    """Give what the patterns are looked for in: ``/full/path.py:7(Class.method)``."""
    return f"{function.file}:{function.line}({function.qualname})"


def matching(functions: Iterable[Function], patterns: Iterable[str]) -> set[int]:
    """Find the functions that one of the patterns is found in, by their places."""
    searches = [re.compile(pattern).search for pattern in patterns]
    return {
        place
        for place, function in enumerate(functions)
        if any(search(where(function)) for search in searches)
    }


def select(result: ProfileResult) -> ProfileResult:
    """Apply the profile's `focus`, `ignore` and `hide`; without any, give it as it is."""
    from .result import Function

    if not (result.focus or result.ignore or result.hide):
        return result
    hidden = Function("~", 0, "<hidden>", "<hidden>")
    functions = (*result.functions, hidden)
    choice = _Choice(
        focus=matching(result.functions, result.focus) if result.focus else None,
        ignore=matching(result.functions, result.ignore),
        hide=matching(result.functions, result.hide),
        stand_in=len(result.functions),
    )
    threads = [_select(thread, choice) for thread in result.threads]
    kept = [thread for thread in threads if len(thread)]
    used = sorted({place for thread in kept for place in thread.function})
    places = {place: number for number, place in enumerate(used)}
    return replace(
        result,
        functions=tuple(functions[place] for place in used),
        threads=tuple(
            replace(thread, function=tuple(places[p] for p in thread.function))
            for thread in kept
        ),
        focus=(),
        ignore=(),
        hide=(),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """Functions by their places; `focus` is None when all are wanted."""

    focus: set[int] | None
    ignore: set[int]
    hide: set[int]
    stand_in: int  # for hidden functions that nobody calls


@dataclass(slots=True)
class _Tree:
    """A tree that grows: column by column, a node for each parent and function."""

    parent: list[int] = field(default_factory=list)
    function: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    resumes: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    raw_own: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    places: dict[tuple[int, int], int] = field(default_factory=dict)

    def node(self, parent: int, function: int) -> int:
        """Give the place of a node, which is added if need be."""
        place = self.places.setdefault((parent, function), len(self.parent))
        if place == len(self.parent):
            self.parent.append(parent)
            self.function.append(function)
            self.calls.append(0)
            self.resumes.append(0)
            self.own.append(0.0)
            self.raw_own.append(0.0)
            self.sizes.append(0)
            self.blocks.append(0)
        return place


def _select(thread: Thread, choice: _Choice) -> Thread:
    kept, whole = _kept(thread, choice)
    tree = _Tree()
    # For each old node, the new one that its callees are called by; -1 for none.
    callers: list[int] = []
    for index, function in enumerate(thread.function):
        parent = thread.parent[index]
        place = caller = callers[parent] if parent >= 0 else -1
        if not kept[index]:
            callers.append(caller)
            continue
        if function not in choice.hide:
            place = caller = tree.node(caller, function)
            tree.calls[place] += thread.calls[index]
            tree.resumes[place] += thread.resumes[index]
        elif place < 0 and whole[index]:
            place = tree.node(-1, choice.stand_in)
        if whole[index]:
            tree.own[place] += thread.self_ns[index]
            tree.raw_own[place] += thread.raw_self_ns[index]
            if thread.allocated_bytes:
                tree.sizes[place] += thread.allocated_bytes[index]
                tree.blocks[place] += thread.allocated_blocks[index]
        callers.append(caller)
    return replace(
        thread,
        parent=tuple(tree.parent),
        function=tuple(tree.function),
        calls=tuple(tree.calls),
        resumes=tuple(tree.resumes),
        inclusive_ns=summed_up(tree.parent, tree.own),
        self_ns=tuple(tree.own),
        raw_inclusive_ns=summed_up(tree.parent, tree.raw_own),
        raw_self_ns=tuple(tree.raw_own),
        allocated_bytes=tuple(tree.sizes) if thread.allocated_bytes else (),
        allocated_blocks=tuple(tree.blocks) if thread.allocated_bytes else (),
    )


def _kept(thread: Thread, choice: _Choice) -> tuple[list[bool], list[bool]]:
    """Say which nodes are in the selection at all, and which of them with their own time.

    The callers of a focused function are kept as the way to it: their own time is not.
    """
    focused: list[bool] = []
    ignored: list[bool] = []
    for index, function in enumerate(thread.function):
        parent = thread.parent[index]
        inherits = parent >= 0
        focused.append(
            choice.focus is None
            or function in choice.focus
            or (inherits and focused[parent])
        )
        ignored.append(function in choice.ignore or (inherits and ignored[parent]))
    whole = [f and not i for f, i in zip(focused, ignored, strict=True)]
    kept = list(whole)
    for index in range(len(kept) - 1, -1, -1):
        parent = thread.parent[index]
        if kept[index] and parent >= 0:
            kept[parent] = True
    return kept, whole


def summed_up(parents: list[int], own: list[float]) -> tuple[float, ...]:
    """Give each node's time with all below it."""
    total = list(own)
    for index in range(len(total) - 1, -1, -1):
        if parents[index] >= 0:
            total[parents[index]] += total[index]
    return tuple(total)
