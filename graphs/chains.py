"""Shortest chains of references from and to an object, with objgraph's arguments."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from .._core import referents, referrers, start_search, tracked_referrers

__all__ = ["find_backref_chain", "find_ref_chain", "is_proper_module"]

Predicate = Callable[[Any], Any]


def is_proper_module(obj: object) -> bool:
    """Tell whether an object is a module of ``sys.modules``, which holds it for good."""
    if not issubclass(type(obj), types.ModuleType):
        return False
    name = types.ModuleType.__getattribute__(obj, "__dict__").get("__name__")
    return type(name) is str and sys.modules.get(name) is obj


def find_ref_chain(
    obj: object,
    predicate: Predicate,
    max_depth: int = 20,
    extra_ignore: Iterable[int] = (),
    *,
    collect: bool = True,
) -> list[Any]:
    """Find a shortest chain of references from `obj` to what `predicate` is true of.

    Parameters
    ----------
    obj : object
    predicate : callable
    max_depth : int
        The most references in the chain.
    extra_ignore : iterable of int
        Ids of objects that no chain leads through.
    collect : bool
        Collect garbage first, as objgraph does.

    Returns
    -------
    list
        From `obj` to the end of the chain; ``[obj]`` when there is none.
    """
    chain = _find_chain(
        obj,
        predicate,
        lambda level: [referents(it) for it in level],
        max_depth,
        extra_ignore,
        collect,
    )
    return chain[::-1]


def find_backref_chain(
    obj: object,
    predicate: Predicate,
    max_depth: int = 20,
    extra_ignore: Iterable[int] = (),
    *,
    collect: bool = True,
) -> list[Any]:
    """Find a shortest chain of references to `obj` from what `predicate` is true of.

    The arguments are those of `find_ref_chain`; the chain ends with `obj`.

    Notes
    -----
    The heap is looked through once for each reference in the chain, however many objects
    are met on the way.
    """
    ignored = {*extra_ignore, id(extra_ignore)}  # it may be an iterator
    if collect:
        gc.collect()
    search = start_search()

    def tracked(level: list[Any]) -> list[list[Any]]:
        return tracked_referrers(level, search)

    def all_of_them(level: list[Any]) -> list[list[Any]]:
        return referrers(level, search)

    chain = _find_chain(obj, predicate, tracked, max_depth, ignored, False)
    if len(chain) == 1 and not predicate(obj):
        # Untracked holders are rarely on the way, and looking into them takes long.
        chain = _find_chain(obj, predicate, all_of_them, max_depth, ignored, False)
    return chain


def _find_chain(
    obj: object,
    predicate: Predicate,
    neighbours: Callable[[list[Any]], list[list[Any]]],
    max_depth: int,
    extra_ignore: Iterable[int],
    collect: bool,
) -> list[Any]:
    """Search breadth first, a level at a time; the chain is from its far end to `obj`."""
    if collect:
        gc.collect()
    # Objects by id; what we keep must not be taken for what holds them.
    parents: dict[int, int | None] = {id(obj): None}
    met: dict[int, Any] = {id(obj): obj}
    level = [obj]
    ignored = {*extra_ignore, id(extra_ignore), id(parents), id(met)}
    for depth in range(max_depth + 1):
        for it in level:
            if predicate(it):
                return _chain(id(it), parents, met)
        if depth == max_depth:
            break
        following: list[Any] = []
        for target, sources in zip(level, neighbours(level), strict=True):
            for source in sources:
                key = id(source)
                if key not in parents and key not in ignored:
                    parents[key] = id(target)
                    met[key] = source
                    following.append(source)
            # A list of ours that lives on would be found as a holder of what is in it.
            sources = []
        level = following
        if not level:
            break
    return [obj]


def _chain(
    key: int | None, parents: dict[int, int | None], met: dict[int, Any]
) -> list[Any]:
    chain = []
    while key is not None:
        chain.append(met[key])
        key = parents[key]
    return chain
