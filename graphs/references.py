"""Pictures of references, with objgraph's arguments and messages."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TextIO

from .._core import referents, referrers
from .chains import is_proper_module
from .labels import describe, edge_names, has_finalizer, long_name, short_name
from .result import Node, Reference, ReferenceGraph

__all__ = ["picture", "show_backrefs", "show_chain", "show_refs"]

Filter = Callable[[Any], Any]

# From 3.12 on an immortal object's count is a constant at least as large.
_IMMORTAL = 2**30


def show_refs(
    objs: Any,
    max_depth: int = 3,
    extra_ignore: Iterable[int] = (),
    filter: Filter | None = None,
    too_many: int = 10,
    highlight: Filter | None = None,
    filename: str | None = None,
    extra_info: Callable[[Any], Any] | None = None,
    refcounts: bool = False,
    shortnames: bool = True,
    output: TextIO | None = None,
    extra_node_attrs: Callable[[Any], dict[str, Any]] | None = None,
    *,
    collect: bool = False,
    reprs: bool = False,
) -> ReferenceGraph | None:
    """Show what objects hold.

    Parameters
    ----------
    objs : object, or list or tuple of objects
    max_depth : int
        References from there to the farthest objects shown.
    extra_ignore : iterable of int
        Ids of objects to leave out.
    filter : callable, optional
        Objects for which it gives something false are left out.
    too_many : int
        How many references of one object to show; the rest is counted.
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

    Returns
    -------
    ReferenceGraph or None
        The picture, which a notebook shows; None when it was written somewhere.

    Raises
    ------
    ValueError
        Both `filename` and `output` are given, or `max_depth` is negative.
    OSError
        The file cannot be written.

    See Also
    --------
    show_backrefs : what holds objects.
    """
    _refuse_both(filename, output)
    return _show(
        picture(
            objs,
            False,
            max_depth,
            extra_ignore,
            shortnames,
            filter=filter,
            too_many=too_many,
            highlight=highlight,
            extra_info=extra_info,
            refcounts=refcounts,
            extra_node_attrs=extra_node_attrs,
            collect=collect,
            reprs=reprs,
        ),
        filename,
        output,
    )


def show_backrefs(
    objs: Any,
    max_depth: int = 3,
    extra_ignore: Iterable[int] = (),
    filter: Filter | None = None,
    too_many: int = 10,
    highlight: Filter | None = None,
    filename: str | None = None,
    extra_info: Callable[[Any], Any] | None = None,
    refcounts: bool = False,
    shortnames: bool = True,
    output: TextIO | None = None,
    extra_node_attrs: Callable[[Any], dict[str, Any]] | None = None,
    *,
    collect: bool = False,
    reprs: bool = False,
) -> ReferenceGraph | None:
    """Show what holds objects, and what holds that, up to the modules.

    The arguments and the result are those of `show_refs`. Running functions are no
    objects: what only they hold is shown without a holder; see `why`.
    """
    _refuse_both(filename, output)
    return _show(
        picture(
            objs,
            True,
            max_depth,
            extra_ignore,
            shortnames,
            filter=filter,
            too_many=too_many,
            highlight=highlight,
            extra_info=extra_info,
            refcounts=refcounts,
            extra_node_attrs=extra_node_attrs,
            collect=collect,
            reprs=reprs,
        ),
        filename,
        output,
    )


def show_chain(
    *chains: list[Any], backrefs: bool = True, **keywords: Any
) -> ReferenceGraph | None:
    """Show chains that `find_ref_chain` or `find_backref_chain` found.

    Parameters
    ----------
    *chains : list
    backrefs : bool
        Draw from the ends of the chains backwards.
    **keywords
        As for `show_refs`, without `max_depth` and `filter`.
    """
    full = [chain for chain in chains if chain]
    if not full:
        raise ValueError("show_chain needs a chain that is not empty")
    ids = {id(it) for it in itertools.chain(*full)}
    show = show_backrefs if backrefs else show_refs
    ends = [chain[-1] if backrefs else chain[0] for chain in full]
    return show(
        ends,
        max_depth=max(map(len, full)) - 1,
        filter=lambda it: id(it) in ids,
        **keywords,
    )


@dataclass(slots=True, kw_only=True)
class _Wanted:
    """The arguments of one picture."""

    objects: list[Any]
    wrapped: bool
    backwards: bool
    max_depth: int
    ignored: set[int]
    typename: Callable[[type], str]
    filter: Filter | None = None
    too_many: int = 10
    highlight: Filter | None = None
    extra_info: Callable[[Any], Any] | None = None
    refcounts: bool = False
    extra_node_attrs: Callable[[Any], dict[str, Any]] | None = None
    collect: bool = False
    reprs: bool = False


def picture(
    objs: Any,
    backwards: bool,
    max_depth: int = 3,
    extra_ignore: Iterable[int] = (),
    shortnames: bool = True,
    single: bool = False,
    **others: Any,
) -> ReferenceGraph:
    """Give the graph that `show_refs` or `show_backrefs` shows; the same arguments.

    With `single`, a list is the object to be shown, and not the objects in it.
    """
    if max_depth < 0:
        raise ValueError(f"max_depth must not be negative, and is {max_depth}")
    several = not single and issubclass(type(objs), list | tuple)
    return _picture(
        _Wanted(
            # Each once, whatever the caller lists.
            objects=list({id(it): it for it in objs}.values()) if several else [objs],
            wrapped=not several,
            backwards=backwards,
            max_depth=max_depth,
            ignored={*extra_ignore, id(extra_ignore)}
            | ({id(objs)} if several else set()),
            typename=short_name if shortnames else long_name,
            **others,
        )
    )


class _Found:
    """Objects and references met so far; pinned until the picture is made."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.depths: list[int] = []
        self.numbers: dict[int, int] = {}
        self.edges: dict[tuple[int, int], None] = {}
        self.left_out: dict[int, int] = {}

    def add(self, it: object, depth: int) -> bool:
        if id(it) in self.numbers:
            return False
        self.numbers[id(it)] = len(self.objects)
        self.objects.append(it)
        self.depths.append(depth)
        return True


def _explore(wanted: _Wanted) -> _Found:
    """Search breadth first, all objects of one depth at once."""
    found = _Found()
    level: list[Any] = []
    level.extend(it for it in wanted.objects if found.add(it, 0))
    wanted.ignored |= {id(wanted), id(wanted.objects), id(found.objects)}
    for depth in range(wanted.max_depth):
        if wanted.backwards:
            level = [it for it in level if not is_proper_module(it)]
        following: list[Any] = []
        for it, others in zip(level, _neighbours(level, wanted), strict=True):
            shown = [other for other in others if _is_wanted(other, wanted)]
            for other in shown[: wanted.too_many]:
                if found.add(other, depth + 1):
                    following.append(other)
                pair = (found.numbers[id(other)], found.numbers[id(it)])
                found.edges[pair if wanted.backwards else pair[::-1]] = None
            if len(shown) > wanted.too_many:
                left_out = len(shown) - wanted.too_many
                found.left_out[found.numbers[id(it)]] = left_out
            # A list of ours that lives on would be found as a holder of what is in it.
            others = shown = []
        level = following
        if not level:
            break
    return found


def _neighbours(level: list[Any], wanted: _Wanted) -> list[list[Any]]:
    return referrers(level) if wanted.backwards else [referents(it) for it in level]


def _is_wanted(it: object, wanted: _Wanted) -> bool:
    if id(it) in wanted.ignored:
        return False
    return wanted.filter is None or bool(wanted.filter(it))


def _picture(wanted: _Wanted) -> ReferenceGraph:
    if wanted.collect:
        gc.collect()
    found = _explore(wanted)
    nodes = tuple(_node(number, found, wanted) for number in range(len(found.objects)))
    references = tuple(
        Reference(
            holder,
            held,
            tuple(edge_names(found.objects[holder], found.objects[held])),
        )
        for holder, held in found.edges
    )
    return ReferenceGraph(wanted.backwards, wanted.max_depth, nodes, references)


def _node(number: int, found: _Found, wanted: _Wanted) -> Node:
    it = found.objects[number]
    # Ours: the list of what was found, this variable and the argument of getrefcount();
    # of what was asked for also the list of that, and the arguments of two calls.
    ours = 3 if found.depths[number] else 4 + 2 * wanted.wrapped
    references = sys.getrefcount(it) - ours
    cls = type(it)
    extra = wanted.extra_node_attrs(it) if wanted.extra_node_attrs else {}
    return Node(
        address=id(it),
        type=wanted.typename(cls),
        value=describe(it, wanted.reprs),
        info=str(wanted.extra_info(it)) if wanted.extra_info else "",
        depth=found.depths[number],
        module=issubclass(cls, types.ModuleType),
        highlighted=bool(wanted.highlight and wanted.highlight(it)),
        finalizer=has_finalizer(cls),
        refcount=references if wanted.refcounts and references < _IMMORTAL else None,
        left_out=found.left_out.get(number, 0),
        attributes={
            str(name): str(value)
            for name, value in sorted(extra.items())
            if value is not None
        },
    )


def _refuse_both(filename: str | None, output: TextIO | None) -> None:
    if filename and output:
        raise ValueError("Cannot specify both output and filename.")


def _show(
    graph: ReferenceGraph, filename: str | None, output: TextIO | None
) -> ReferenceGraph | None:
    from . import view

    if output:
        output.write(view.dot(graph))
    elif filename:
        _write(graph, os.fspath(filename))
    else:
        if not _in_ipython():
            print(graph)
        return graph
    return None


def _in_ipython() -> bool:
    """Tell whether IPython will show what a call returns."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    return shell is not None and shell.InteractiveShell.initialized()


def _write(graph: ReferenceGraph, filename: str) -> None:
    from . import view

    _, suffix = os.path.splitext(filename)
    if suffix == ".dot":
        with open(filename, "w", encoding="utf-8") as file:
            file.write(view.dot(graph))
        print(f"Graph written to {filename} ({len(graph.nodes)} nodes)")
    elif suffix == ".svg":
        with open(filename, "w", encoding="utf-8") as file:
            file.write(view.svg(graph))
        print(f"Image generated as {filename}")
    elif not suffix:
        raise ValueError(
            f"the file name {filename!r} has no suffix: .svg, .dot, .png, .pdf"
        )
    else:
        _convert(graph, filename, suffix[1:])


def _convert(graph: ReferenceGraph, filename: str, format: str) -> None:
    """Have the ``dot`` program write what is not written in-process."""
    from . import view

    program = shutil.which("dot")
    if program is None:
        print(
            "Image renderer (dot) not found, not doing anything else; .svg needs none"
        )
        return
    command = [program, f"-T{format}", f"-o{filename}"]
    done = subprocess.run(
        command, input=view.dot(graph), text=True, capture_output=True, check=False
    )
    if done.returncode == 0:
        print(f"Image generated as {filename}")
    else:
        reason = done.stderr.strip().partition("\n")[0]
        print(
            f"dot failed (exit code {done.returncode}) while writing {filename}: {reason}"
        )
