"""Leave out of a profile what runs the user's code for it, and is ours."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

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
    of_awaiting = {i for i, each in enumerate(functions) if each.file == _AWAITING}
    of_noting = {i for i, each in enumerate(functions) if each.file == _NOTING}
    loop = {i for i, each in enumerate(functions) if each.name == "run_until_complete"}
    starters = {
        i
        for i, each in enumerate(functions)
        if each.file == threading.__file__ or each.name == _RUN_IN_CONTEXT
    }
    if not (of_awaiting or of_noting):
        return list(threads)
    cut = (
        _without(thread, of_awaiting, of_awaiting | of_noting, loop, starters)
        for thread in threads
    )
    return [thread for thread in cut if len(thread)]


def _without(
    thread: Thread,
    runners: set[int],
    ours: set[int],
    loop: set[int],
    starters: set[int],
) -> Thread:
    """Cut a tree down.

    Parameters
    ----------
    runners : set of int
        Functions that run a coroutine.
    ours : set of int
        All that are ours.
    loop : set of int
        Functions that run an event loop.
    starters : set of int
        Functions that begin a thread.
    """
    owned = _owned_roots(thread, runners, starters)
    calls_ours = any(thread.function[root] in runners for root in owned)
    kept: list[int] = []
    # For each old node its place in the new tree, or that of its caller there.
    places: list[int] = []
    # Whether it is in the part of the tree that is the user's.
    inside: list[bool] = []
    own, raw_own = list(thread.self_ns), list(thread.raw_self_ns)
    for index, (parent, function) in enumerate(
        zip(thread.parent, thread.function, strict=True)
    ):
        if parent < 0:
            inside.append(index not in owned)
        else:
            begins = function in loop and thread.function[parent] in runners
            inside.append(inside[parent] or begins)
        place = places[parent] if parent >= 0 else -1
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

    def caller(index: int) -> int:
        parent = thread.parent[index]
        return places[parent] if parent >= 0 and inside[parent] else -1

    parents = [caller(index) for index in kept]
    own = [own[index] for index in kept]
    raw_own = [raw_own[index] for index in kept]
    return replace(
        thread,
        # In a thread of its own it is known by that, though the thread is gone by now.
        name=awaiting.THREAD if owned and not calls_ours else thread.name,
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


def _owned_roots(thread: Thread, runners: set[int], starters: set[int]) -> set[int]:
    """Find the roots that only lead to a coroutine that we run.

    In the calling thread that is our function; in a thread of its own, what starts every
    thread.
    """
    found = set()
    # Whether nothing but what starts a thread is between the node and its root.
    begins: list[bool] = []
    roots: list[int] = []
    for index, (parent, function) in enumerate(
        zip(thread.parent, thread.function, strict=True)
    ):
        above = parent < 0 or begins[parent]
        roots.append(index if parent < 0 else roots[parent])
        begins.append(above and function in starters)
        if above and function in runners:
            found.add(roots[index])
    return found
