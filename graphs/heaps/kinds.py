"""Kinds of objects, which stand where a set may stand: ``h.heap() & h.Type(Order)``."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..labels import long_name

if TYPE_CHECKING:
    from .partitions import By
    from .sets import ObjectSet

__all__ = ["Classifier", "Kind", "as_kind"]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


class Kind:
    """What some objects have in common; with a set it gives those of the set."""

    def __init__(self, text: str, chosen: Callable[[ObjectSet], ObjectSet]) -> None:
        self._text = text
        self._chosen = chosen

    def of(self, members: ObjectSet) -> ObjectSet:
        """Give the objects of a set that are of this kind."""
        return self._chosen(members)

    def __and__(self, other: object) -> Kind:
        also = as_kind(other)
        return Kind(f"({self} & {also})", lambda it: also.of(self.of(it)))

    def __or__(self, other: object) -> Kind:
        also = as_kind(other)
        return Kind(f"({self} | {also})", lambda it: self.of(it) | also.of(it))

    def __sub__(self, other: object) -> Kind:
        return self & ~as_kind(other)

    def __invert__(self) -> Kind:
        return Kind(f"~{self}", lambda it: it - self.of(it))

    def __repr__(self) -> str:
        return self._text


def as_kind(it: object) -> Kind:
    """Take a class for the kind of its instances.

    Raises
    ------
    TypeError
        It is neither.
    """
    if isinstance(it, Kind):
        return it
    if isinstance(it, type):
        return _rows("type", it.__name__, _written(it).__eq__)
    raise TypeError(f"not a set of objects, a kind or a class: {type(it).__name__}")


def _rows(what: By, text: str, wanted: Callable[[str], Any]) -> Kind:
    """Make the kind of the rows of a table whose names are wanted."""
    return Kind(text, lambda it: it.by(what).where(wanted))


def _written(cls: type | str) -> str:
    """Name a class as the tables do."""
    name = cls if isinstance(cls, str) else long_name(cls)
    return name.removeprefix("builtins.")


class Classifier:
    """A way to part sets, for ``by``; called, it gives the kind of one part.

    Classes may be given by themselves or by the names that the tables have.
    """

    def __init__(self, what: By) -> None:
        self.what = what

    def __call__(self, *names: Any, dictof: Any = None) -> Kind:
        """Give a kind.

        Parameters
        ----------
        *names
            A class or its name (`Type`, `Clodo`), several (`Rcs`), bytes (`Size`), an
            address (`Id`), the name of a module (`Module`), names of references (`Via`),
            a file and a line (`Prod`); nothing for `Unity`.
        dictof : class, str or (), optional
            Of `Clodo` the dictionaries of the attributes of a class; ``()`` for those
            that are of no object's attributes.
        """
        written = ", ".join(map(str, names))
        text = f"{self.what}({written})"
        if self.what == "unity":
            return Kind(text, lambda it: it)
        if self.what == "identity":
            (address,) = names
            return Kind(text, lambda it: it & it.graph.at_address(address))
        if self.what == "size":
            return Size(names[0])
        if self.what == "producer":
            start = ":".join(map(str, names)) or "unknown"
            return _rows(self.what, text, lambda key: key.startswith(start))
        if dictof is not None:
            owner = f"dict of {_written(dictof)}" if dictof != () else "dict"
            return _rows("kind", owner, owner.__eq__)
        if self.what in ("holders", "via"):
            wanted = {
                repr(it) if self.what == "via" else _written(it) for it in names
            } or {"<Nothing>"}
            return _rows(self.what, text, lambda key: set(key.split(", ")) == wanted)
        return _rows(self.what, text, _written(names[0]).__eq__)

    def __repr__(self) -> str:
        return f"<by {self.what}>"


class Size(Kind):
    """The objects of a size."""

    def __init__(self, size: int, comparison: str = "==") -> None:
        compare = _COMPARISONS[comparison]
        super().__init__(
            f"size {comparison} {size}",
            lambda it: it.by("size").where(lambda key: compare(int(key), size)),
        )
        self._size = size

    def alt(self, comparison: str) -> Kind:
        """Give the objects that are smaller (``'<'``), not smaller (``'>='``)..."""
        return Size(self._size, comparison)
