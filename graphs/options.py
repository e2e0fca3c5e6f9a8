"""What a picture of references is to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, TextIO

__all__ = ["Filter", "PictureOptions"]

Filter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """The arguments of `show_refs` and `show_backrefs`, in objgraph's order.

    Parameters
    ----------
    max_depth : int
        References from there to the farthest objects shown.
    extra_ignore : iterable of int
        Ids of objects to leave out.
    filter : callable, optional
        Objects for which it gives something false are left out.
    too_many : int
        How many references of one object to show; the rest is bundled by type and name.
    highlight : callable, optional
        Objects for which it gives something true are shown in blue.
    filename : str, optional
        Where to write the picture: ``.svg`` and ``.dot`` are written here, for other
        suffixes the ``dot`` program of Graphviz has to be installed.
    extra_info : callable, optional
        Gives a line more for an object.
    refcounts : bool
        Show the number of references to each object.
    shortnames : bool
        Names of types without modules.
    output : file, optional
        Where to write the graph as DOT text.
    extra_node_attrs : callable, optional
        Gives Graphviz attributes for an object.
    collect : bool
        Collect garbage first, as objgraph does.
    reprs : bool
        Describe objects of all types by their own ``repr``. By default only types whose
        ``repr`` is known to be harmless are asked.
    sizes : bool
        Show the bytes of each object, and how much would be freed with it. The whole
        heap is looked through for that.
    frames : bool
        Show the running functions whose variables hold an object; not those of
        IPython, of the kernel and of nbprobe. Without a `filter` only, because they are
        no objects that it could be asked about.

    across : bool
        Draw from left to right instead of from top to bottom.

    internals : bool
        Show how IPython and the kernel hold the user's variables. By default that is left
        out, and what they keep of outputs is one holder.

    Raises
    ------
    ValueError
        Both `filename` and `output` are given, or `max_depth` is negative.
    """

    max_depth: int = 3
    extra_ignore: Iterable[int] = ()
    filter: Filter | None = None
    too_many: int = 10
    highlight: Filter | None = None
    filename: str | None = None
    extra_info: Callable[[Any], Any] | None = None
    refcounts: bool = False
    shortnames: bool = True
    output: TextIO | None = None
    extra_node_attrs: Callable[[Any], dict[str, Any]] | None = None
    _: KW_ONLY
    collect: bool = False
    reprs: bool = False
    sizes: bool = False
    frames: bool = True
    across: bool = False
    internals: bool = False

    def __post_init__(self) -> None:
        if self.max_depth < 0:
            raise ValueError(f"max_depth must not be negative, and is {self.max_depth}")
        if self.filename and self.output:
            raise ValueError("Cannot specify both output and filename.")

    def wants(self, it: object) -> bool:
        """Tell whether an object is to be shown."""
        return self.filter is None or bool(self.filter(it))
