"""Sizes that are added up over several calls, and what an object holds by itself."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from .._core import reference_names, referents
from .asizeof import Asized, Sizer
from .labels import written

__all__ = ["Asizer", "named_refs", "refs"]


class Asizer:
    """Adds up sizes over several calls, as pympler's class of this name.

    An object that was counted counts no more: as addresses are what is remembered, the
    objects have to stay alive until `reset`. Those that were given are kept.

    Parameters
    ----------
    **opts
        As for `asizeof`.

    Attributes
    ----------
    total : int
        Bytes of all that was sized until now.
    """

    def __init__(self, **opts: Any) -> None:
        self.reset(**opts)

    def reset(self, **opts: Any) -> None:
        """Begin anew, with these settings; nothing is excluded or counted any more."""
        self._opts = opts
        self._types: list[type] = []
        self._refs: list[Any] = []
        self._given: list[Any] = []
        self._sizer: Sizer | None = None
        self.total = 0

    def set(self, **opts: Any) -> None:
        """Change settings. What was counted until now will count again."""
        if opts:
            self._opts |= {key: it for key, it in opts.items() if it is not None}
            self._sizer = None

    def exclude_types(self, *objs: object) -> None:
        """Leave out all instances of some types, and what only they lead to."""
        self._types += [it if isinstance(it, type) else type(it) for it in objs]
        self._sizer = None

    def exclude_refs(self, *objs: object) -> None:
        """Leave some objects out, and what only they lead to, unless they are given."""
        self._refs += objs
        if self._sizer is not None:
            self._sizer.search.skip(objs)

    def _for(self, objs: tuple[object, ...], opts: dict[str, Any]) -> Sizer:
        self.set(**opts)
        if self._sizer is None:
            self._sizer = Sizer(**self._opts, exclude=self._types)
            self._sizer.search.skip(tuple(self._refs))
        self._given += objs
        # What is given is in nobody's size but its own.
        self._sizer.search.skip(objs)
        return self._sizer

    def asizesof(self, *objs: object, **opts: Any) -> tuple[int, ...]:
        """Give the size of each object; 0 for what was counted by an earlier call."""
        sizer = self._for(objs, opts)
        found = {id(it): it for it in objs}
        each = {key: sizer.add(it) for key, it in found.items()}
        self.total += sum(each.values())
        return tuple(each[id(it)] for it in objs)

    def asizeof(self, *objs: object, **opts: Any) -> int:
        """Give the size of the objects together."""
        before = self.total
        self.asizesof(*objs, **opts)
        return self.total - before

    def asized(
        self, *objs: object, detail: int = 0, **opts: Any
    ) -> Asized | tuple[Asized, ...]:
        """Give the sizes of objects and of what they hold."""
        sizer = self._for(objs, opts)
        found = tuple(sizer.asized(it, detail, written(it)) for it in objs)
        self.total += sum(it.size for it in found)
        return found[0] if len(found) == 1 else found


def refs(obj: object, **opts: Any) -> Iterator[Any]:
    """Give what an object holds, each once, without classes and modules."""
    held = {id(it): it for it in referents(obj)}
    return (
        it for it in held.values() if not issubclass(type(it), type | types.ModuleType)
    )


def named_refs(obj: object, **opts: Any) -> list[tuple[str, Any]]:
    """Give what an object holds by name: attributes, variables, keys that are text."""
    return [
        (str(key), it)
        for it in refs(obj)
        for way, key in reference_names(obj, it)
        if way in ("attribute", "variable", "value") and type(key) is str
    ]
