"""Leave out of a profile what runs the user's code for it, and is ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from .. import awaiting
from .result import Function, Thread
from .selection import summed_up
from .threadnames import ThreadNames

__all__ = ["without_ours"]

_AWAITING = awaiting.run.__code__.co_filename
_NOTING = ThreadNames.begin.__code__.co_filename
_RUN_IN_CONTEXT = "<method 'run' of '_contextvars.Context' objects>"


def without_ours(
    functions: Sequence[Function], threads: Iterable[Thread]
) -> list[Thread]:
    """Take our own frames out of trees.

    Parameters
    ----------
    functions : sequence of Function
        What the trees refer to.
    threads : iterable of Thread

    Returns
    -------
    list of Thread
        Of a coroutine, the event loop and what it runs remain, not who made the loop; a
        thread that did nothing but wait for it is gone.
    """
    kinds = _Kinds.of(functions)
    if not (kinds.runners or kinds.notes):
        return list(threads)
    cut = [_without(thread, kinds) for thread in threads]
    return [thread for thread in cut if len(thread)]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Functions that matter here, by their places.

    Attributes
    ----------
    runners : set of int
        That run a coroutine for us.
    notes : set of int
        That note the names of threads.
    reading : set of int
        That such a note calls.
    loops : set of int
        That run an event loop.
    starters : set of int
        That begin a thread.
    """

    runners: set[int]
    notes: set[int]
    reading: set[int]
    loops: set[int]
    starters: set[int]

    @classmethod
    def of(cls, functions: Sequence[Function]) -> Self:
        def those(is_one: Callable[[Function], bool]) -> set[int]:
            return {place for place, each in enumerate(functions) if is_one(each)}

        properties = ("Thread.ident", "Thread.name")
        return cls(
            runners=those(lambda each: each.file == _AWAITING),
            notes=those(lambda each: each.file == _NOTING),
            reading=those(lambda each: each.native or each.qualname in properties),
            loops=those(lambda each: each.name == "run_until_complete"),
            starters=those(
                lambda each: (
                    each.file == threading.__file__ or each.name == _RUN_IN_CONTEXT
                )
            ),
        )

    def goes_inside(self, caller: int, function: int) -> bool:
        """Whether the user's part of a tree begins with this call."""
        return caller in self.runners and function in self.loops

    def is_note(self, caller: int, function: int) -> bool:
        """Whether the call is part of a note; the start of the thread itself is not."""
        return caller in self.notes and function in self.reading


def _without(thread: Thread, kinds: _Kinds) -> Thread:
    """Cut a tree down to what is the user's."""
    owned = _owned_roots(thread, kinds)
    ours = kinds.runners | kinds.notes
    kept: list[int] = []
    # For each old node its place in the new tree, or that of its caller there; and whether
    # it is in the user's part.
    places: list[int] = []
    inside: list[bool] = []
    own, raw_own = list(thread.self_ns), list(thread.raw_self_ns)
    for index, (parent, function) in enumerate(
        zip(thread.parent, thread.function, strict=True)
    ):
        if parent < 0:
            place = -1
            inside.append(index not in owned)
        else:
            place, caller = places[parent], thread.function[parent]
            inside.append(
                (inside[parent] or kinds.goes_inside(caller, function))
                and not kinds.is_note(caller, function)
            )
        if inside[index] and function in ours and place >= 0:
            # Its time is that of who called it.
            own[kept[place]] += own[index]
            raw_own[kept[place]] += raw_own[index]
        elif inside[index]:
            place = len(kept)
            kept.append(index)
        places.append(place)
    if len(kept) == len(thread):
        return thread

    def caller_of(index: int) -> int:
        parent = thread.parent[index]
        return places[parent] if parent >= 0 and inside[parent] else -1

    is_own_thread = bool(owned) and not any(
        thread.function[root] in kinds.runners for root in owned
    )
    parents = [caller_of(index) for index in kept]
    own = [own[index] for index in kept]
    raw_own = [raw_own[index] for index in kept]
    return replace(
        thread,
        name=awaiting.THREAD if is_own_thread else thread.name,
        parent=tuple(parents),
        function=tuple(thread.function[index] for index in kept),
        calls=tuple(thread.calls[index] for index in kept),
        resumes=tuple(thread.resumes[index] for index in kept),
        inclusive_ns=summed_up(parents, own),
        self_ns=tuple(own),
        raw_inclusive_ns=summed_up(parents, raw_own),
        raw_self_ns=tuple(raw_own),
        allocated_bytes=tuple(
            thread.allocated_bytes[index] for index in kept if thread.allocated_bytes
        ),
        allocated_blocks=tuple(
            thread.allocated_blocks[index] for index in kept if thread.allocated_blocks
        ),
    )


def _owned_roots(thread: Thread, kinds: _Kinds) -> set[int]:
    """Find the roots that only lead to a coroutine that we run.

    In the calling thread that is our function; in a thread of its own, what starts every
    thread.
    """
    found = set()
    # Whether nothing but what starts a thread is between the root and the node.
    begins: list[bool] = []
    roots: list[int] = []
    for index, (parent, function) in enumerate(
        zip(thread.parent, thread.function, strict=True)
    ):
        above = parent < 0 or begins[parent]
        roots.append(index if parent < 0 else roots[parent])
        begins.append(above and function in kinds.starters)
        if above and function in kinds.runners:
            found.add(roots[index])
    if any(begins[root] for root in found):
        # The thread is ours, with all that begins and ends it.
        return set(roots)
    return found
