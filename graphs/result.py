"""What the tools of the heap find, as plain data that can be saved and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..results import Result

__all__ = ["Bundle", "Holder", "Node", "Reference", "ReferenceGraph", "Why"]


@dataclass(frozen=True, slots=True)
class Bundle:
    """References that are counted instead of shown.

    Attributes
    ----------
    count : int
    type : str
        Of the objects at their other ends.
    name : str
        How one of them is written, with three dots in the place of an index or a key;
        empty when there is no name.
    """

    count: int
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Node:
    """An object in a picture.

    Attributes
    ----------
    address : int
        Its ``id`` when the picture was made.
    type : str
    value : str
        What it is, in at most 40 characters.
    info : str
        What `extra_info` gave for it.
    depth : int
        References between it and the objects that were asked for; 0 for those.
    module : bool
        It is a module.
    highlighted : bool
        `highlight` gave something true for it.
    finalizer : bool
        Its class has a ``__del__``.
    refcount : int or None
        References to it, ours not counted; None when not asked for, and of immortal
        objects, whose references are not counted.
    bundles : tuple of Bundle
        References from it (or to it) beyond `too_many`, the most frequent kind first.
    size : int or None
        Bytes of the object itself; None when not asked for.
    retained : int or None
        Bytes that would be freed with it; None when not asked for.
    running : bool
        It is no object but a running function.
    attributes : dict of str to str
        Graphviz's, from `extra_node_attrs`.
    """

    address: int
    type: str
    value: str
    info: str
    depth: int
    module: bool
    highlighted: bool
    finalizer: bool
    refcount: int | None
    bundles: tuple[Bundle, ...]
    size: int | None
    retained: int | None
    running: bool
    attributes: dict[str, str]

    @property
    def left_out(self) -> int:
        """How many references are in bundles."""
        return sum(bundle.count for bundle in self.bundles)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of a picture.

    Attributes
    ----------
    holder, held : int
        Numbers of nodes.
    names : tuple of str
        By which the first holds the second.
    on_path : bool
        It is on the shortest way from a module or a running function to an object that
        was asked for.
    """

    holder: int
    held: int
    names: tuple[str, ...]
    on_path: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceGraph(Result):
    """What objects hold, or what holds them, as a picture.

    Attributes
    ----------
    backwards : bool
        True for holders (``show_backrefs``), false for what is held (``show_refs``).
    max_depth : int
    across : bool
        Drawn from left to right.
    nodes : tuple of Node
        In the order in which they were met: those asked for first.
    references : tuple of Reference
    """

    kind: ClassVar[str] = "graphs.references"

    backwards: bool
    max_depth: int
    across: bool
    nodes: tuple[Node, ...]
    references: tuple[Reference, ...]

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each reference."""
        return [
            {
                "holder": self.nodes[reference.holder].value,
                "holder_type": self.nodes[reference.holder].type,
                "name": ", ".join(reference.names),
                "held": self.nodes[reference.held].value,
                "held_type": self.nodes[reference.held].type,
            }
            for reference in self.references
        ]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = Result._repr_mimebundle_(self, include, exclude)
        # For front ends that show pictures and no HTML, and for nbconvert.
        if include is not None and "image/svg+xml" in include:
            from .view import svg

            bundle["image/svg+xml"] = svg(self)
        return bundle


@dataclass(frozen=True, slots=True)
class Holder:
    """One way in which an object is kept alive.

    Attributes
    ----------
    expression : str
        How to reach it from where the way begins, as code: ``'cache[3].rows'``.
    origin : str
        Where the way begins: ``'notebook'``, ``'history'`` (an output itself),
        ``'output'`` (what is in one), ``'traceback'``, ``'module'``, ``'frame'``,
        ``'outside'`` or ``'garbage'``.
    place : str
        The same in words.
    steps : tuple of str
        The objects on the way, from its beginning to the direct holder.
    advice : str
        What lets go; empty when there is nothing to say.
    """

    expression: str
    origin: str
    place: str
    steps: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True, repr=False)
class Why(Result):
    """Why an object is alive.

    Attributes
    ----------
    type : str
    value : str
        The object, in at most 40 characters.
    total : int
        How many objects hold it and are held themselves.
    holders : tuple of Holder
        The shortest way through each, the best known first; those asked for only.
    left_out : int
        How many of `total` are in none of `holders`.
    """

    kind: ClassVar[str] = "graphs.why"

    type: str
    value: str
    total: int
    holders: tuple[Holder, ...]
    left_out: int

    def records(self) -> list[dict[str, Any]]:
        """Give a row for each holder."""
        return [
            {
                "expression": holder.expression,
                "origin": holder.origin,
                "place": holder.place,
                "advice": holder.advice,
            }
            for holder in self.holders
        ]
